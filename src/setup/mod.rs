//! Sets regpass up as a mirror in the configuration files of clients: turns the text of a file into the new text.
//!
//! The module is pure: the caller reads and writes the files. Text that regpass did not write keeps every byte. regpass
//! finds its own text again by marks, or by its value in files that allow no comments.

mod bracket_list;
mod buildkit;
mod containerd;
mod docker;
mod k3s;
mod kubernetes;
mod marks;
pub mod mirrors;
mod podman;
mod text_edit;
mod toml_file;
mod yaml_file;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

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
    /// A folder that has a folder for each registry, and the name of the file in each of those.
    RegistryFolders(&'static str, &'static str),
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
            Self::Containerd | Self::Kubernetes => ConfigPath::RegistryFolders(containerd::FOLDER, containerd::FILE),
            Self::Podman => ConfigPath::File(podman::FILE),
            Self::Buildkit => ConfigPath::File(buildkit::FILE),
            Self::K3s => ConfigPath::File(k3s::FILE),
            Self::Rke2 => ConfigPath::File(k3s::RKE2_FILE),
        }
    }

    /// The files to write, relative to the client's [`ConfigPath`], with the mirrors that each is for. Where the path
    /// is a file, there is one, with an empty relative path.
    pub fn files(self, set: &MirrorSet) -> Vec<(PathBuf, MirrorSet)> {
        match self.config_path() {
            ConfigPath::File(_) => vec![(PathBuf::new(), set.clone())],
            ConfigPath::RegistryFolders(_, file) => {
                let mirrors = set.mirrors.iter().map(|mirror| {
                    let part = MirrorSet { mirrors: vec![mirror.clone()], ..set.clone() };
                    (PathBuf::from(mirror.registry.as_str()).join(file), part)
                });
                mirrors.collect()
            }
        }
    }

    /// The text of a file with the mirrors added. What an earlier call wrote is replaced.
    pub fn merge(self, set: &MirrorSet, text: &str) -> Result<String, SetupError> {
        match self {
            Self::Docker => docker::merge(set, text),
            Self::Containerd | Self::Kubernetes => containerd::merge(set, text),
            Self::Podman => podman::merge(set, text),
            Self::Buildkit => buildkit::merge(set, text),
            Self::K3s | Self::Rke2 => k3s::merge(set, text),
        }
    }

    /// The text of a file without what [`Client::merge`] wrote. It is empty if the file had no other text.
    pub fn undo(self, set: &MirrorSet, text: &str) -> Result<String, SetupError> {
        match self {
            Self::Docker => docker::undo(set, text),
            Self::Containerd | Self::Kubernetes => containerd::undo(text),
            Self::Podman => podman::undo(text),
            Self::Buildkit => buildkit::undo(set, text),
            Self::K3s | Self::Rke2 => k3s::undo(set, text),
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

    /// A comment with the path of a file, to print above it; `None` where the client's format has no comments.
    pub fn file_heading(self, path: &str) -> Option<String> {
        (self != Self::Docker).then(|| format!("# {path}\n"))
    }

    /// What to do for a change to take effect.
    pub fn activation_note(self) -> &'static str {
        match self {
            Self::Docker => "restart dockerd to apply the change: `systemctl restart docker`",
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
            Self::Kubernetes => vec![kubernetes::NOTE.to_owned()],
            Self::Containerd | Self::Buildkit | Self::K3s | Self::Rke2 => Vec::new(),
        };
        notes.extend(set.left_out.iter().map(|what| format!("left out: {what}")));
        notes
    }
}
