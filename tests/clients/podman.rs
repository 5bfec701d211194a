//! podman pulls each platform into its own storage.

use crate::engine::PODMAN;
use crate::process::stdout;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(each_platform_is_pulled_by_name_and_alias);

async fn each_platform_is_pulled_by_name_and_alias(stack: &Stack) {
    for name in ["python:3.12", "reg/toddysm/python:3.12"] {
        for platform in &stack.image.platforms {
            let id = PODMAN.pull(stack.home(), &stack.regpass.image(name), platform, &["--tls-verify=false"]).await;
            let format = "--format={{.Digest}} {{.Architecture}}";
            let image = stdout(PODMAN.command(stack.home()).args(["image", "inspect", format, &id])).await;
            assert_eq!(image.trim(), format!("{} {}", stack.image.digest, platform.architecture), "{name}");
        }
    }
}
