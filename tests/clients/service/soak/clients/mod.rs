//! The clients. Each one pushes a new image and pulls it again, in a loop.

mod containerd;
mod curl;
mod docker;
mod oras;
mod podman_and_buildah;
mod skopeo;
mod slow_curl;

use std::sync::Arc;

use tokio::task::JoinSet;

use super::run::SoakRun;
use crate::engine::{BUILDAH, PODMAN};

/// The names of the clients in the results.
pub(super) const NAMES: [&str; 8] =
    ["curl", slow_curl::NAME, "skopeo", PODMAN.name, BUILDAH.name, "docker", "containerd", "oras"];

/// Starts all clients. They end when the run is over.
pub(super) fn start(run: &Arc<SoakRun>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    clients.spawn(curl::push_and_pull(run.clone()));
    for number in 0..slow_curl::CLIENTS {
        clients.spawn(slow_curl::push_and_pull(run.clone(), number));
    }
    clients.spawn(skopeo::push_and_pull(run.clone()));
    clients.spawn(podman_and_buildah::push_and_pull(run.clone(), PODMAN));
    clients.spawn(podman_and_buildah::push_and_pull(run.clone(), BUILDAH));
    clients.spawn(docker::push_and_pull(run.clone()));
    clients.spawn(containerd::push_and_pull(run.clone()));
    clients.spawn(oras::push_and_pull(run.clone()));
    clients
}
