//! Sets regpass up as a mirror in the configuration files of clients: turns the text of a file into the new text.
//!
//! The module is pure: the caller reads and writes the files. Text that regpass did not write keeps every byte. regpass
//! finds its own text again by marks, or by its value in files that allow no comments.

mod bracket_list;
mod buildkit;
mod containerd;
mod docker;
mod hosts_toml;
mod k3s;
mod kubernetes;
mod marks;
pub mod mirrors;
mod podman;
mod text_edit;
mod toml_file;
pub mod version;
mod yaml_file;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use self::hosts_toml::HostsSupport;
use self::mirrors::MirrorSet;

/// A client program, or a family of programs that share their configuration files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    Docker,
    Containerd,
    /// Also for buildah and skopeo, which read the same file
    #[value(aliases = ["buildah", "skopeo"])]
    Podman,
    Buildkit,
    K3s,
    Rke2,
    /// Prints what each node and the cluster need; writes nothing
    Kubernetes,
}

/// The default path of a client's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigPath {
    File(&'static str),
    /// A folder that has a folder with a `hosts.toml` for each registry.
    RegistryFolders(&'static str),
}

/// A file of a client, and the mirrors that it is for.
#[derive(Clone, Debug)]
pub struct MirrorFile {
    pub path: PathBuf,
    pub mirrors: MirrorSet,
    /// Whether it is the `hosts.toml` of one registry.
    pub is_hosts_file: bool,
}

/// Why a client cannot be set up. Its files stay unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    /// The line of the client's file, from 1; `None` if the error concerns the whole file or regpass's own
    /// configuration.
    pub line: Option<usize>,
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// The hint for a file with syntax errors.
const FIX_FIRST: &str = "fix the file first; regpass has not changed it";

impl MirrorFile {
    /// A comment with the file's path, to print above it; `None` where the format has no comments.
    pub fn heading(&self) -> Option<String> {
        let is_json = self.path.extension().is_some_and(|end| end == "json");
        (!is_json).then(|| format!("# {}\n", self.path.display()))
    }
}

impl SetupError {
    fn of_file(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line: None, what: what.into(), hint: hint.into() }
    }

    fn at_line(line: usize, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into(), hint: hint.into() }
    }
}

impl Client {
    pub fn config_path(self) -> ConfigPath {
        match self {
            Self::Docker => ConfigPath::File(docker::FILE),
            Self::Containerd | Self::Kubernetes => ConfigPath::RegistryFolders(containerd::FOLDER),
            Self::Podman => ConfigPath::File(podman::FILE),
            Self::Buildkit => ConfigPath::File(buildkit::FILE),
            Self::K3s => ConfigPath::File(k3s::FILE),
            Self::Rke2 => ConfigPath::File(k3s::RKE2_FILE),
        }
    }

    /// The folder that has a folder with a `hosts.toml` for each registry. `base` is the client's file or folder.
    pub fn hosts_folder(self, base: &Path) -> Option<PathBuf> {
        match self {
            Self::Containerd | Self::Kubernetes => Some(base.to_owned()),
            Self::Docker => Some(base.with_file_name(docker::HOSTS_FOLDER)),
            Self::Podman | Self::Buildkit | Self::K3s | Self::Rke2 => None,
        }
    }

    /// The files to write, with the mirrors that each is for. `base` is the client's file or folder.
    pub fn files(self, base: &Path, set: &MirrorSet) -> Vec<MirrorFile> {
        let mut files = Vec::new();
        if let ConfigPath::File(_) = self.config_path() {
            files.push(MirrorFile { path: base.to_owned(), mirrors: set.clone(), is_hosts_file: false });
        }
        let reads_hosts = self != Self::Docker || docker::reads_hosts(set.client_version);
        if let Some(folder) = self.hosts_folder(base).filter(|_| reads_hosts) {
            files.extend(set.mirrors.iter().map(|mirror| MirrorFile {
                path: folder.join(mirror.registry.as_str()).join(hosts_toml::FILE),
                mirrors: MirrorSet { mirrors: vec![mirror.clone()], ..set.clone() },
                is_hosts_file: true,
            }));
        }
        files
    }

    /// The text of a file with the mirrors added. What an earlier call wrote is replaced.
    pub fn merge(self, file: &MirrorFile, text: &str) -> Result<String, SetupError> {
        let set = &file.mirrors;
        match self {
            _ if file.is_hosts_file => hosts_toml::merge(set, self.hosts_support(set), text),
            Self::Docker => docker::merge(set, text),
            Self::Containerd | Self::Kubernetes => Ok(text.to_owned()),
            Self::Podman => podman::merge(set, text),
            Self::Buildkit => buildkit::merge(set, text),
            Self::K3s | Self::Rke2 => k3s::merge(set, text),
        }
    }

    /// The text of a file without what [`Client::merge`] wrote. It is empty if the file had no other text.
    pub fn undo(self, file: &MirrorFile, text: &str) -> Result<String, SetupError> {
        let set = &file.mirrors;
        match self {
            _ if file.is_hosts_file => hosts_toml::undo(text),
            Self::Docker => docker::undo(set, text),
            Self::Containerd | Self::Kubernetes => Ok(text.to_owned()),
            Self::Podman => podman::undo(text),
            Self::Buildkit => buildkit::undo(set, text),
            Self::K3s | Self::Rke2 => k3s::undo(set, text),
        }
    }

    fn hosts_support(self, set: &MirrorSet) -> HostsSupport {
        match self {
            Self::Docker => docker::hosts_support(set.client_version),
            _ => containerd::hosts_support(set.client_version),
        }
    }

    /// The commands that print the version of an installed client, where the files depend on it.
    pub fn version_commands(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &["dockerd", "docker"],
            Self::Containerd => &["containerd"],
            // The nodes are other machines; the other clients read the same files in every version.
            Self::Kubernetes | Self::Podman | Self::Buildkit | Self::K3s | Self::Rke2 => &[],
        }
    }

    /// The registries that have entries in `text`, another file that the client reads. If several files have an entry
    /// for a registry, the client uses only one of them. Empty for clients other than podman.
    pub fn configured_registries(self, text: &str) -> Result<Vec<String>, SetupError> {
        if self == Self::Podman { podman::configured_registries(text) } else { Ok(Vec::new()) }
    }

    /// Whether a file contains marks of regpass.
    pub fn is_marked(text: &str) -> bool {
        marks::are_in(text)
    }

    /// What `regpass setup` prints after the files; `None` for nothing.
    pub fn extra_output(self) -> Option<&'static str> {
        (self == Self::Kubernetes).then_some(kubernetes::CONFIG)
    }

    /// What to do for a change to take effect.
    pub fn activation_note(self) -> &'static str {
        match self {
            Self::Docker => {
                "restart dockerd to apply a change of daemon.json: `systemctl restart docker`; it reads hosts.toml at every \
                 pull"
            }
            Self::Containerd => {
                "no restart needed: containerd reads these files at every pull, provided its `config_path` names their \
                 folder; `ctr` needs `--hosts-dir`"
            }
            Self::Podman => "no restart needed: podman, buildah and skopeo read the file at every start",
            Self::Buildkit => "restart buildkitd to apply the change: `systemctl restart buildkit`",
            Self::K3s => "restart k3s to apply the change: `systemctl restart k3s` (or `k3s-agent`)",
            Self::Rke2 => "restart rke2 to apply the change: `systemctl restart rke2-server` (or `rke2-agent`)",
            Self::Kubernetes => kubernetes::ACTIVATION_NOTE,
        }
    }

    /// Further notes for the operator, one per line.
    pub fn notes(self, set: &MirrorSet) -> Vec<String> {
        let mut notes = match self {
            Self::Docker => docker::notes(set),
            Self::Podman => podman::notes(set),
            Self::Containerd => containerd::notes(set.client_version),
            Self::Kubernetes => [vec![kubernetes::NOTE.to_owned()], containerd::notes(set.client_version)].concat(),
            Self::Buildkit | Self::K3s | Self::Rke2 => Vec::new(),
        };
        notes.extend(set.left_out.iter().map(|what| format!("left out: {what}")));
        notes
    }
}
