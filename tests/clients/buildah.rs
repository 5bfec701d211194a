//! buildah pulls each platform and starts a build from the image.

use crate::engine::BUILDAH;
use crate::process::stdout;
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(each_platform_is_pulled_and_built_from);

async fn each_platform_is_pulled_and_built_from(stack: &Stack) {
    let buildah = async |arguments: &[&str]| stdout(BUILDAH.command(stack.home()).args(arguments)).await;
    for name in ["python:3.12", "reg/toddysm/python:3.12"] {
        let name = stack.regpass.image(name);
        for platform in &stack.image.platforms {
            BUILDAH.pull(stack.home(), &name, platform, &["--tls-verify=false"]).await;
            let architecture = format!("--platform=linux/{}", platform.architecture);
            let container = buildah(&["from", "--pull-never", "--tls-verify=false", &architecture, &name]).await;
            let digest = buildah(&["inspect", "--format={{.FromImageDigest}}", container.trim()]).await;
            assert_eq!(digest.trim(), platform.manifest, "{name} {architecture}");
            // One line for each platform pulled so far.
            let digests = buildah(&["images", "--format={{.Digest}}", &name]).await;
            assert!(!digests.is_empty() && digests.lines().all(|digest| digest == stack.image.digest), "{digests}");
        }
    }
}
