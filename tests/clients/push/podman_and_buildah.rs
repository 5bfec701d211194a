//! `podman push` and `buildah push` of a local image. Both compress the layers again.

use crate::engine::{BUILDAH, Engine, PODMAN};
use crate::push::stored_image::StoredImage;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(podman_pushes_by_name_and_alias, crate::push::run_push_test);
in_both_auth_modes!(buildah_pushes_by_name_and_alias, crate::push::run_push_test);

async fn podman_pushes_by_name_and_alias(stack: &Stack) {
    push_by_name_and_alias(PODMAN, stack).await;
}

async fn buildah_pushes_by_name_and_alias(stack: &Stack) {
    push_by_name_and_alias(BUILDAH, stack).await;
}

async fn push_by_name_and_alias(engine: Engine, stack: &Stack) {
    for platform in &stack.image.platforms {
        let id = engine.load(stack.home(), &stack.image, platform).await;
        for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
            let tag = platform.architecture;
            let image = stack.regpass.image(&format!("{name}:{tag}"));
            let digest = engine.push(stack.home(), &id, &image).await;
            let stored = StoredImage::read(&stack.registry, repository, tag).await;
            assert_eq!(stored.digest(), digest, "{name}:{tag}");
            stored.assert_unpacks_to(platform);
        }
    }
}
