//! An image from nothing: blobs, manifests by digest, and the index by tag.

use std::fs;

use super::session::Session;
use super::{code, location, send};
use crate::curl::{curl, fetch};
use crate::image::digest_of;
use crate::push::held::Held;
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

const INDEX: &str = "Content-Type: application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "Content-Type: application/vnd.oci.image.manifest.v1+json";

pushes_in_both_modes!(writes_an_image_by_hand);

async fn writes_an_image_by_hand(scene: &Scene) {
    let blobs = scene.image.layout().join("blobs/sha256");
    let read = |digest: &str| fs::read(blobs.join(digest.trim_start_matches("sha256:"))).expect("a blob of the layout");
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let manifests = scene.regpass.url(&format!("/v2/{name}/manifests"));
        let put = async |reference: &str, media_type: &str, bytes: &[u8]| {
            send(scene, "PUT", &format!("{manifests}/{reference}"), &[media_type], bytes).await
        };
        for platform in &scene.image.platforms {
            // Of blobs that are not there.
            let manifest = read(&platform.manifest);
            let reply = put(&platform.manifest, MANIFEST, &manifest).await;
            assert_eq!((reply.status, &*code(&reply)), (400, "MANIFEST_BLOB_UNKNOWN"), "{}", reply.text());
            for digest in [&platform.config, &platform.layer] {
                Session::open(scene, name, repository).await.finish(&read(digest), &read(digest)).await;
            }
            let reply = put(&platform.manifest, MANIFEST, &manifest).await;
            assert_eq!(reply.status, 201, "{}", reply.text());
            assert_eq!(reply.header("docker-content-digest"), Some(&*platform.manifest));
        }
        let reply = put("1", INDEX, &read(&scene.image.digest)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(reply.header("docker-content-digest"), Some(&*scene.image.digest));
        let shown = fetch(curl(scene).arg(location(scene, &reply))).await;
        assert_eq!(digest_of(&shown.body), scene.image.digest, "what Location points to");
        Held::read(&scene.registry, repository, "1").await.assert_is(&scene.image);

        // Another digest than that of the bytes.
        let other = &scene.image.platforms[0].manifest;
        let reply = put(other, INDEX, &read(&scene.image.digest)).await;
        assert_eq!((reply.status, &*code(&reply)), (400, "DIGEST_INVALID"), "{}", reply.text());
    }
}
