//! Real clients push through the real binary, without credentials of their own, to the real registry.
//!
//! The stack is that of the pulls, but its configuration allows all operations. The tests read every pushed byte from the
//! registry itself.

mod containerd;
pub(crate) mod curl;
mod docker;
pub(crate) mod docker_archive;
pub(crate) mod memory;
pub(crate) mod oras;
mod podman_and_buildah;
mod skopeo;
mod slow;
pub(crate) mod stored_image;

use std::collections::HashSet;

use serde_json::Value;

use crate::registry::Registry;
use crate::stack::Stack;

/// The line of the configuration that allows all operations.
pub(crate) const ALLOW: &str = "allow = ['pull', 'push', 'delete']\n";

/// Runs the steps of a client that pushes, then checks what must hold after every client.
async fn run_push_test(registry: Registry, steps: impl AsyncFnOnce(&Stack)) {
    let stack = Stack::start_with(registry, ALLOW).await;
    steps(&stack).await;
    stack.assert_one_token_per_scope();
    let rejected = stack.registry.unauthorized_requests();
    let log = stack.finish();
    // regpass learns the challenge once for each name of the registry.
    let names = registry_names(&log).len();
    assert!(rejected <= names, "{rejected} requests without a credential for {names} names");
}

/// The registries that the log names.
fn registry_names(log: &[String]) -> HashSet<String> {
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["registry"].as_str().map(str::to_owned)).collect()
}
