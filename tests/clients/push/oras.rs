//! The oras Python client: artifacts in one piece and in chunks with `Content-Range`.

use std::fs;

use serde_json::Value;

use crate::oras::python;
use crate::process::{plain, stdout};
use crate::push::held::{Held, blob};
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

/// Prints the digests of the manifests that it pushed.
pub(crate) const SCRIPT: &str = include_str!("oras.py");

pushes_in_both_modes!(pushes_whole_and_in_chunks);

async fn pushes_whole_and_in_chunks(scene: &Scene) {
    let platform = &scene.image.platforms[0];
    let file = scene.home().join("artifact");
    fs::write(&file, &platform.layer_bytes).expect("the artifact");
    for (name, repository) in [("artifact", "library/artifact"), ("reg/team/artifact", "team/artifact")] {
        let mut python = plain(python(), scene.home());
        python.args(["-c", SCRIPT, &scene.regpass.image(name)]).arg(&file);
        let pushed: Value = serde_json::from_str(&stdout(&mut python).await).expect("JSON");

        let chunked = format!("{repository}-chunked");
        for (repository, tag) in [(repository, "whole"), (&*chunked, "chunked")] {
            let held = Held::read(&scene.registry, repository, tag).await;
            assert_eq!(pushed[tag], held.digest(), "{repository}");
            assert_eq!(blob(&scene.registry, repository, &platform.layer).await, platform.layer_bytes);
        }
        assert_eq!(scene.registry.get(&chunked, "manifests/gone").await.status, 404);
    }
}
