//! The configuration of clients: from what regpass serves and the text of a client's file to the new text.
//!
//! Pure: files are read and written by whoever calls this. What others wrote stays, to the byte; what regpass wrote is
//! found again by marks, or by its value where there is no room for them.

mod buildkit;
mod containerd;
mod docker;
mod k3s;
mod kubernetes;
mod list;
mod marks;
mod podman;
mod tables;
mod tree;
pub mod view;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use self::view::View;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    Docker,
    Containerd,
    /// Or buildah, or skopeo: they read the same file
    #[value(aliases = ["buildah", "skopeo"])]
    Podman,
    Buildkit,
    K3s,
    Rke2,
    /// What every node and the cluster need; printed only
    Kubernetes,
}

/// Where a client keeps its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    File(&'static str),
    /// A folder with a folder for each registry, in which there is a file of this name.
    Folder(&'static str, &'static str),
}

/// Why a file is not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// From 1; `None` where no single line is meant.
    pub line: Option<usize>,
    pub what: String,
    pub hint: String,
}

impl Refusal {
    fn whole(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line: None, what: what.into(), hint: hint.into() }
    }
}

impl Client {
    pub fn place(self) -> Place {
        match self {
            Self::Docker => Place::File(docker::FILE),
            Self::Containerd | Self::Kubernetes => Place::Folder(containerd::FOLDER, containerd::FILE),
            Self::Podman => Place::File(podman::FILE),
            Self::Buildkit => Place::File(buildkit::FILE),
            Self::K3s => Place::File(k3s::FILE),
            Self::Rke2 => Place::File(k3s::RKE2_FILE),
        }
    }

    /// The files that speak of regpass, below the client's place, and what each has to say. A place that is a file has
    /// one, with an empty path.
    pub fn files(self, view: &View) -> Vec<(PathBuf, View)> {
        match self.place() {
            Place::File(_) => vec![(PathBuf::new(), view.clone())],
            Place::Folder(_, file) => {
                let mirrors = view.mirrors.iter().map(|mirror| {
                    let own = View { mirrors: vec![mirror.clone()], ..view.clone() };
                    (PathBuf::from(mirror.registry.as_str()).join(file), own)
                });
                mirrors.collect()
            }
        }
    }

    /// A file's text with what the client needs, and with nothing that an earlier call wrote and it needs no more.
    pub fn merge(self, view: &View, text: &str) -> Result<String, Refusal> {
        match self {
            Self::Docker => docker::merge(view, text),
            Self::Containerd | Self::Kubernetes => containerd::merge(view, text),
            Self::Podman => podman::merge(view, text),
            Self::Buildkit => buildkit::merge(view, text),
            Self::K3s | Self::Rke2 => k3s::merge(view, text),
        }
    }

    /// A file's text without what [`Client::merge`] wrote. Empty where nothing else was there.
    pub fn undo(self, view: &View, text: &str) -> Result<String, Refusal> {
        match self {
            Self::Docker => docker::undo(view, text),
            Self::Containerd | Self::Kubernetes => containerd::undo(text),
            Self::Podman => podman::undo(text),
            Self::Buildkit => buildkit::undo(view, text),
            Self::K3s | Self::Rke2 => k3s::undo(view, text),
        }
    }

    /// The registries that a file beside the client's own has entries for. Where there are several files, one entry
    /// replaces the other.
    pub fn taken(self, text: &str) -> Result<Vec<String>, Refusal> {
        if self == Self::Podman { podman::entries(text) } else { Ok(Vec::new()) }
    }

    /// Whether a file has something of regpass in it that can be told by its marks.
    pub fn is_marked(text: &str) -> bool {
        marks::are_in(text)
    }

    /// What to print behind the files.
    pub fn appendix(self) -> Option<&'static str> {
        (self == Self::Kubernetes).then_some(kubernetes::CONFIG)
    }

    /// How a title for a file is written in the client's format, which may have no comments.
    pub fn title(self, path: &str) -> Option<String> {
        (self != Self::Docker).then(|| format!("# {path}\n"))
    }

    /// How a change comes into force.
    pub fn restart(self) -> &'static str {
        match self {
            Self::Docker => "restart dockerd to put it in force: systemctl restart docker",
            Self::Containerd => {
                "nothing to restart: containerd reads these files at every pull where its config_path names their \
                 folder; ctr wants --hosts-dir"
            }
            Self::Podman => "nothing to restart: podman, buildah and skopeo read it whenever they start",
            Self::Buildkit => "restart buildkitd to put it in force: systemctl restart buildkit",
            Self::K3s => "restart k3s to put it in force: systemctl restart k3s (or k3s-agent)",
            Self::Rke2 => "restart rke2 to put it in force: systemctl restart rke2-server (or rke2-agent)",
            Self::Kubernetes => kubernetes::RESTART,
        }
    }

    /// What else people should know, one thing a line.
    pub fn advice(self, view: &View) -> Vec<String> {
        let mut advice = match self {
            Self::Docker => docker::advice(view),
            Self::Podman => podman::advice(view),
            Self::Kubernetes => vec![kubernetes::ADVICE.to_owned()],
            Self::Containerd | Self::Buildkit | Self::K3s | Self::Rke2 => Vec::new(),
        };
        advice.extend(view.left_out.iter().map(|what| format!("left out: {what}")));
        advice
    }
}
