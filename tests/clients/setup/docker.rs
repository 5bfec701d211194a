//! dockerd with the existing `daemon.json` to which `regpass setup docker` added a mirror.

use std::fs;

use super::{assert_written_and_undone, code_and_stderr, setup};
use crate::docker::{pull, settings, start_with};
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(docker_hub_images_are_pulled_and_setup_is_undone);

async fn docker_hub_images_are_pulled_and_setup_is_undone(stack: &Stack) {
    let file = stack.home().join("daemon.json");
    let before = serde_json::to_string_pretty(&settings(stack.home())).expect("JSON");
    fs::write(&file, &before).expect("daemon.json is written");
    assert_written_and_undone(stack, &["docker"], &file, async || {
        // dockerd starts only if the existing settings, such as its root, are still there.
        let _dockerd = start_with(stack.home(), &file).await;
        pull(stack.home(), &["python:3.12"], &stack.image.digest).await;
    })
    .await;

    fs::write(&file, before.replace("\"bridge\"", "// no bridge\n\"bridge\"")).expect("daemon.json is written");
    let (code, stderr) = code_and_stderr(setup(stack, &["docker"]).arg("--write").arg("--file").arg(&file)).await;
    assert!(code == Some(1) && stderr.contains("daemon.json:2:") && stderr.contains("invalid JSON"), "{stderr}");
    assert!(fs::read_to_string(&file).expect("daemon.json").contains("// no bridge"), "the invalid file was changed");
}
