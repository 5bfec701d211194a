//! containerd pulls an image and pushes it elsewhere, with all its platforms.

use std::path::PathBuf;

use crate::containerd::{ctr, start, write_hosts};
use crate::process::output;
use crate::push::stored_image::StoredImage;
use crate::stack::{SECOND_REGISTRY, Stack, in_both_auth_modes};

in_both_auth_modes!(pulled_image_is_pushed_elsewhere, crate::push::run_push_test);

async fn pulled_image_is_pushed_elsewhere(stack: &Stack) {
    let _containerd = start(stack.home()).await;
    let source = stack.regpass.image("python:3.12");
    let pull = ["images", "pull", "--plain-http", "--all-platforms", "--snapshotter=native"];
    output(ctr(stack.home()).args(pull).arg(&source)).await;

    // containerd remembers from which repository it pulled the blobs and asks to mount them, which works only within
    // one registry.
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let target = stack.regpass.image(&format!("{name}:1"));
        output(ctr(stack.home()).args(["images", "push", "--plain-http", &target, &source])).await;
        StoredImage::read(&stack.registry, repository, "1").await.assert_equals(&stack.image);
    }

    // Pushes by the registry's own name. A push carries no `?ns=`, so the path names the registry.
    let mut push = ctr(stack.home());
    push.args(["images", "push", "--hosts-dir"]).arg(push_hosts(stack));
    output(push.arg(format!("{SECOND_REGISTRY}/team/mirrored:1")).arg(&source)).await;
    StoredImage::read(&stack.registry, "team/mirrored", "1").await.assert_equals(&stack.image);
}

/// Configures regpass, by the registry's alias, as the host for pushes to [`SECOND_REGISTRY`].
fn push_hosts(stack: &Stack) -> PathBuf {
    let url = stack.regpass.url("/v2/reg");
    let text = format!("[host.\"{url}\"]\ncapabilities = [\"push\", \"resolve\"]\noverride_path = true\n");
    write_hosts(stack.home(), SECOND_REGISTRY, &text)
}
