//! dockerd with a `daemon.json` that was there before.

use std::fs;

use super::{fails, setup, wrote_and_took_back};
use crate::docker::{docker, settings, start_with};
use crate::process::stdout;
use crate::scene::{Scene, in_both_modes};

in_both_modes!(pulls_from_docker_hub_through_what_was_written);

async fn pulls_from_docker_hub_through_what_was_written(scene: &Scene) {
    let file = scene.home().join("daemon.json");
    let before = serde_json::to_string_pretty(&settings(scene.home())).expect("JSON");
    fs::write(&file, &before).expect("daemon.json");
    wrote_and_took_back(scene, &["docker"], &file, async || {
        // Its root is here: the settings that were there are in force.
        let _dockerd = start_with(scene.home(), &file).await;
        let pulled = stdout(docker(scene.home()).args(["pull", "python:3.12"])).await;
        assert!(pulled.contains(&format!("\nDigest: {}\n", scene.image.digest)), "{pulled}");
    })
    .await;

    fs::write(&file, before.replace("\"bridge\"", "// no bridge\n\"bridge\"")).expect("daemon.json");
    let (code, told) = fails(setup(scene, &["docker"]).arg("--write").arg("--file").arg(&file)).await;
    assert!(code == Some(1) && told.contains("daemon.json:2:") && told.contains("no JSON"), "{told}");
    assert!(fs::read_to_string(&file).expect("daemon.json").contains("// no bridge"));
}
