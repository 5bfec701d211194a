//! An image written request by request: blobs, manifests by digest, and the index by tag.

use super::session::UploadSession;
use super::{assert_error, location, send};
use crate::curl::{curl, fetch};
use crate::image::digest_of;
use crate::push::stored_image::StoredImage;
use crate::stack::{Stack, in_both_auth_modes};

const INDEX: &str = "Content-Type: application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "Content-Type: application/vnd.oci.image.manifest.v1+json";

in_both_auth_modes!(manifests_are_accepted_once_their_blobs_exist, crate::push::run_push_test);

async fn manifests_are_accepted_once_their_blobs_exist(stack: &Stack) {
    let image = &stack.image;
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let manifests = stack.regpass.url(&format!("/v2/{name}/manifests"));
        let put = async |reference: &str, media_type: &str, bytes: &[u8]| {
            send(stack, "PUT", &format!("{manifests}/{reference}"), &[media_type], bytes).await
        };
        for platform in &image.platforms {
            let manifest = image.read_blob(&platform.manifest);
            let reply = put(&platform.manifest, MANIFEST, &manifest).await;
            assert_error(&reply, 400, "MANIFEST_BLOB_UNKNOWN", "a manifest without its blobs");
            for digest in [&platform.config, &platform.layer] {
                let blob = image.read_blob(digest);
                UploadSession::open(stack, name, repository).await.finish(&blob, &blob).await;
            }
            let reply = put(&platform.manifest, MANIFEST, &manifest).await;
            assert_eq!(reply.status, 201, "{name}: {}", reply.text());
            assert_eq!(reply.header("docker-content-digest"), Some(&*platform.manifest), "{name}");
        }
        let index = image.read_blob(&image.digest);
        let reply = put("1", INDEX, &index).await;
        assert_eq!(reply.status, 201, "{name}: {}", reply.text());
        assert_eq!(reply.header("docker-content-digest"), Some(&*image.digest), "{name}");
        let served = fetch(curl(stack.home()).arg(location(stack, &reply))).await;
        assert_eq!(digest_of(&served.body), image.digest, "{name}: the index at the Location");
        StoredImage::read(&stack.registry, repository, "1").await.assert_equals(image);

        let reply = put(&image.platforms[0].manifest, INDEX, &index).await;
        assert_error(&reply, 400, "DIGEST_INVALID", "the digest of another manifest");
    }
}
