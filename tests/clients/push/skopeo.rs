//! skopeo copies whole indexes byte for byte, converts an image, copies within a registry, and deletes.

use crate::process::{isolated, output};
use crate::push::stored_image::StoredImage;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(images_are_copied_converted_and_deleted, crate::push::run_push_test);

async fn images_are_copied_converted_and_deleted(stack: &Stack) {
    let skopeo = async |arguments: &[&str]| output(isolated("skopeo", stack.home()).args(arguments)).await;
    let layout = format!("oci:{}", stack.image.layout().display());
    let url = |name: &str| format!("docker://{}", stack.regpass.image(name));
    for (name, repository) in
        [("pushed", "library/pushed"), ("docker.io/library/again", "library/again"), ("reg/team/app", "team/app")]
    {
        skopeo(&["copy", "--all", "--dest-tls-verify=false", &layout, &url(&format!("{name}:1"))]).await;
        StoredImage::read(&stack.registry, repository, "1").await.assert_equals(&stack.image);
    }

    // Source and target are both behind regpass.
    let (source, target) = (url("python:3.12"), url("reg/team/copy:1"));
    skopeo(&["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", &source, &target]).await;
    StoredImage::read(&stack.registry, "team/copy", "1").await.assert_equals(&stack.image);

    let platform = &stack.image.platforms[0];
    let architecture = format!("--override-arch={}", platform.architecture);
    let converted = url("converted:1");
    skopeo(&[&architecture, "copy", "--format=v2s2", "--dest-tls-verify=false", &layout, &converted]).await;
    StoredImage::read(&stack.registry, "library/converted", "1").await.assert_unpacks_to(platform);

    skopeo(&["delete", "--tls-verify=false", &url("reg/team/app:1")]).await;
    assert_eq!(stack.registry.get("team/app", "manifests/1").await.status, 404);
}
