//! The oras Python client pushes artifacts in one piece and in chunks with `Content-Range`.

use std::fs;
use std::path::Path;

use crate::image::Platform;
use crate::oras::run_script;
use crate::push::stored_image::{StoredImage, stored_blob};
use crate::registry::Registry;
use crate::stack::{Stack, in_both_auth_modes};

/// Prints the digests of the manifests that it pushes.
const PUSH: &str = include_str!("oras.py");

in_both_auth_modes!(artifacts_are_pushed_whole_and_in_chunks, crate::push::run_push_test);

async fn artifacts_are_pushed_whole_and_in_chunks(stack: &Stack) {
    let platform = &stack.image.platforms[0];
    for (name, repository) in [("artifact", "library/artifact"), ("reg/team/artifact", "team/artifact")] {
        assert_pushes(stack.home(), &stack.regpass.image(name), platform, &stack.registry, repository).await;
        let deleted = stack.registry.get(&format!("{repository}-chunked"), "manifests/gone").await;
        assert_eq!(deleted.status, 404, "{name}");
    }
}

/// Pushes the layer of `platform` as two artifacts, whole to `repository` and in chunks to `REPOSITORY-chunked`, and checks
/// what the registry stored. `name` is the client's name of the repository.
pub(crate) async fn assert_pushes(home: &Path, name: &str, platform: &Platform, registry: &Registry, repository: &str) {
    let file = home.join("artifact");
    fs::write(&file, &platform.layer_bytes).expect("the artifact is written");
    let pushed = run_script(home, PUSH, &[name], &file).await;
    for (repository, tag) in [(repository, "whole"), (&*format!("{repository}-chunked"), "chunked")] {
        let stored = StoredImage::read(registry, repository, tag).await;
        assert_eq!(pushed[tag], stored.digest(), "{repository}");
        assert_eq!(stored_blob(registry, repository, &platform.layer).await, platform.layer_bytes, "{repository}");
    }
}
