//! Real clients push through the real binary to the real registry, and need no credential for it.
//!
//! The stage is that of the pulls, but everything is allowed. Whatever a client has pushed is read again from the
//! registry itself, every byte of it.

mod buildah;
mod containerd;
mod curl;
mod docker;
pub(crate) mod held;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod oras;
mod podman;
mod skopeo;
mod slow;

use std::collections::HashSet;

use serde_json::Value;

use crate::registry::Registry;
use crate::scene::{Login, Scene};

pub(crate) const ALLOW: &str = "allow = ['pull', 'push', 'delete']\n";

/// Declares the tests `htpasswd` and `token`: the same act in front of either kind of registry.
macro_rules! pushes_in_both_modes {
    ($act:ident) => {
        #[tokio::test]
        async fn htpasswd() {
            crate::push::play(crate::registry::Registry::start_htpasswd().await, $act).await;
        }

        #[tokio::test]
        async fn token() {
            crate::push::play(crate::registry::Registry::start_token(crate::scene::LONG).await, $act).await;
        }
    };
}
use pushes_in_both_modes;

/// Lets a client act, then asks of regpass what must hold behind every client.
async fn play(registry: Registry, act: impl AsyncFnOnce(&Scene)) {
    let scene = Scene::set_with(registry, Login::Password, ALLOW).await;
    act(&scene).await;
    scene.assert_one_token_per_scope();
    let refusals = scene.refusals();
    let log = scene.close();
    // regpass learns once for each name what the registry demands.
    let learned = registries(&log).len();
    assert!(refusals <= learned, "{refusals} requests without a credential for {learned} names");
}

/// The registries that regpass was asked for.
fn registries(log: &[String]) -> HashSet<String> {
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["registry"].as_str().map(str::to_owned)).collect()
}
