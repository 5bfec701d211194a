//! The clients, each in a loop of its own: it pushes what was never there, and pulls it again.

mod containerd;
mod curl;
mod docker;
mod engines;
mod oras;
mod skopeo;
mod slow;

use std::sync::Arc;

use tokio::task::JoinSet;

use super::stage::Stage;

pub(super) const KINDS: [&str; 8] =
    ["curl", "curl, slowly", "skopeo", "podman", "buildah", "docker", "containerd", "oras"];

pub(super) fn start(stage: &Arc<Stage>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    clients.spawn(curl::work(stage.clone()));
    for line in slow::LINES {
        clients.spawn(slow::work(stage.clone(), line));
    }
    clients.spawn(skopeo::work(stage.clone()));
    clients.spawn(engines::work(stage.clone(), engines::PODMAN));
    clients.spawn(engines::work(stage.clone(), engines::BUILDAH));
    clients.spawn(docker::work(stage.clone()));
    clients.spawn(containerd::work(stage.clone()));
    clients.spawn(oras::work(stage.clone()));
    clients
}
