//! skopeo: copies whole indexes, byte for byte.

use std::fs;

use serde_json::{Value, json};

use crate::image::digest_of;
use crate::process::{output, private, stdout};
use crate::scene::{Scene, in_both_modes};

in_both_modes!(copies_every_platform);

async fn copies_every_platform(scene: &Scene) {
    for (turn, name) in ["python", "library/python", "reg/toddysm/python"].into_iter().enumerate() {
        let source = format!("docker://{}", scene.regpass.image(&format!("{name}:3.12")));
        let files = scene.home().join(format!("dir-{turn}"));
        let layout = scene.home().join(format!("oci-{turn}"));
        for target in [format!("dir:{}", files.display()), format!("oci:{}", layout.display())] {
            let mut skopeo = private("skopeo", scene.home());
            output(skopeo.args(["copy", "--all", "--src-tls-verify=false", &source, &target])).await;
        }
        // skopeo has checked every blob against its digest; these are the files of either form.
        let index = fs::read(files.join("manifest.json")).expect("manifest.json");
        assert_eq!(digest_of(&index), scene.image.digest, "{name}");
        for platform in &scene.image.platforms {
            for digest in [&platform.manifest, &platform.config, &platform.layer] {
                let blob = layout.join("blobs").join(digest.replace(':', "/"));
                assert!(blob.is_file(), "{name}: no {digest} in the layout");
            }
        }

        let mut skopeo = private("skopeo", scene.home());
        let digest = stdout(skopeo.args(["inspect", "--tls-verify=false", "--format={{.Digest}}", &source])).await;
        assert_eq!(digest.trim(), scene.image.digest, "{name}");

        let repository = source.trim_end_matches(":3.12");
        let mut skopeo = private("skopeo", scene.home());
        let tags = stdout(skopeo.args(["list-tags", "--tls-verify=false", repository])).await;
        let tags: Value = serde_json::from_str(&tags).expect("JSON");
        assert_eq!(tags["Tags"], json!(["3.12"]), "{name}");
    }
}
