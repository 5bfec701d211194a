//! `docker push` of a local image by every name of a registry.

use crate::docker::{docker, start};
use crate::process::{output, stdout};
use crate::push::docker_archive::{LOCAL_NAME, docker_archive};
use crate::push::stored_image::StoredImage;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(local_image_is_pushed_by_every_name, crate::push::run_push_test);

async fn local_image_is_pushed_by_every_name(stack: &Stack) {
    let _dockerd = start(stack.home(), None).await;
    let platform = &stack.image.platforms[0];
    let archive = docker_archive(stack.home(), &stack.image, platform).await;
    output(docker(stack.home()).arg("load").arg("--input").arg(archive)).await;
    let push = async |image: &str| stdout(docker(stack.home()).args(["push", image])).await;

    // docker asks to mount what it has pushed before. If that is in another registry, it uploads instead.
    for (name, repository, is_mounted) in [
        ("pushed", "library/pushed", false),
        ("docker.io/library/again", "library/again", true),
        ("reg/team/app", "team/app", false),
        ("reg/team/other", "team/other", true),
    ] {
        let image = stack.regpass.image(&format!("{name}:1"));
        output(docker(stack.home()).args(["tag", LOCAL_NAME, &image])).await;
        let printed = push(&image).await;
        assert_eq!(printed.contains(": Mounted from "), is_mounted, "{name}: {printed}");

        let stored = StoredImage::read(&stack.registry, repository, "1").await;
        assert!(printed.contains(&format!("\n1: digest: {} size: ", stored.digest())), "{name}: {printed}");
        stored.assert_unpacks_to(platform);
    }
    let printed = push(&stack.regpass.image("pushed:1")).await;
    assert!(printed.contains(": Layer already exists"), "a second push: {printed}");
}
