//! skopeo copies whole indexes byte for byte.

use std::fs;

use serde_json::{Value, json};

use crate::image::digest_of;
use crate::process::{isolated, output, stdout};
use crate::stack::{Stack, in_both_auth_modes};

in_both_auth_modes!(every_platform_is_copied_byte_for_byte);

async fn every_platform_is_copied_byte_for_byte(stack: &Stack) {
    let skopeo = || isolated("skopeo", stack.home());
    for (number, name) in ["python", "library/python", "reg/toddysm/python"].into_iter().enumerate() {
        let source = format!("docker://{}", stack.regpass.image(&format!("{name}:3.12")));
        let files = stack.home().join(format!("dir-{number}"));
        let layout = stack.home().join(format!("oci-{number}"));
        for target in [format!("dir:{}", files.display()), format!("oci:{}", layout.display())] {
            output(skopeo().args(["copy", "--all", "--src-tls-verify=false", &source, &target])).await;
        }
        // skopeo verifies the digest of every blob. Here only the presence of the files is checked.
        let index = fs::read(files.join("manifest.json")).expect("manifest.json");
        assert_eq!(digest_of(&index), stack.image.digest, "{name}");
        for platform in &stack.image.platforms {
            for digest in [&platform.manifest, &platform.config, &platform.layer] {
                let blob = layout.join("blobs").join(digest.replace(':', "/"));
                assert!(blob.is_file(), "{name}: no {digest} in the layout");
            }
        }

        let digest = stdout(skopeo().args(["inspect", "--tls-verify=false", "--format={{.Digest}}", &source])).await;
        assert_eq!(digest.trim(), stack.image.digest, "{name}");

        let repository = source.trim_end_matches(":3.12");
        let tags = stdout(skopeo().args(["list-tags", "--tls-verify=false", repository])).await;
        let tags: Value = serde_json::from_str(&tags).expect("JSON");
        assert_eq!(tags["Tags"], json!(["3.12"]), "{name}");
    }
}
