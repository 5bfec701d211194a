//! Pushes of manifests, and deletions.

use http::Method;

use super::{PushSetup, request_with_body, token_registry};
use crate::harness::manifest_put;
use crate::sim::{Image, ImageFormat};

fn image() -> Image {
    Image::single("app", ImageFormat::Oci)
}

/// A setup whose registry has the image's blobs in `team/app`, and whose regpass has the token for pushes.
async fn setup_with_blobs() -> PushSetup {
    let setup = PushSetup::start(token_registry(), "").await;
    setup.registry.store().write("team/app", |repository| {
        repository.blobs.extend(image().blobs.iter().map(|blob| (blob.digest.clone(), blob.clone())));
    });
    setup.warm().await;
    setup
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_put_by_tag_or_by_digest_with_further_tags() {
    let (image, digest) = (image(), image().digest().to_owned());
    for (target, tags, acknowledged_tags) in [
        ("/v2/team/app/manifests/1".to_owned(), &["1"][..], 0),
        (format!("/v2/team/app/manifests/{digest}"), &[], 0),
        (format!("/v2/team/app/manifests/{digest}?tag=a"), &["a"], 1),
        (format!("/v2/team/app/manifests/{digest}?tag=a&tag=b"), &["a", "b"], 2),
    ] {
        let setup = setup_with_blobs().await;
        let reply = setup.regpass.send(manifest_put(&target, &image)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
        assert_eq!(reply.header("location"), Some(&*format!("/v2/team/app/manifests/{digest}")));
        assert_eq!(reply.headers.get_all("oci-tag").iter().count(), acknowledged_tags, "{target}: {reply:?}");
        let entry = setup.sim.ledger().entries().remove(0);
        assert_eq!((entry.body_len, entry.body_complete), (image.top().bytes.len() as u64, true));
        setup.expect(&[&format!("registry PUT {target} bearer#1 201")]);
        let stored = setup.registry.store().read("team/app", |repository| repository.tags.clone()).unwrap();
        let stored: Vec<_> = stored.iter().map(|(tag, digest)| (&**tag, &**digest)).collect();
        let expected: Vec<_> = tags.iter().map(|tag| (*tag, &*digest)).collect();
        assert_eq!(stored, expected, "{target}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_whose_token_is_rejected_is_sent_again_with_a_new_token() {
    let setup = setup_with_blobs().await;
    setup.registry.revoke_tokens();
    let reply = setup.regpass.send(manifest_put("/v2/team/app/manifests/1", &image())).await;
    assert_eq!((reply.status.as_u16(), reply.authorization_source()), (201, "fetched"));
    setup.expect(&[
        "registry PUT /v2/team/app/manifests/1 bearer#1 401",
        "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200",
        "registry PUT /v2/team/app/manifests/1 bearer#2 201",
    ]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_registrys_error_for_a_manifest_reaches_the_client() {
    let setup = PushSetup::start(token_registry(), "").await;
    let reply = setup.regpass.send(manifest_put("/v2/team/app/manifests/1", &image())).await;
    assert_eq!(reply.status_and_code(), "400 MANIFEST_BLOB_UNKNOWN");
    let missing = reply.json()["errors"][0]["detail"]["upstream"]["digest"].clone();
    assert!(missing.as_str().unwrap().starts_with("sha256:"), "{missing}");
    let reply = setup
        .regpass
        .send(request_with_body(Method::PUT, "/v2/team/app/manifests/1", vec![b' '; 4 * 1024 * 1024 + 1]))
        .await;
    assert_eq!(reply.status_and_code(), "413 SIZE_INVALID");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn tags_manifests_and_blobs_are_deleted() {
    let (image, digest) = (image(), image().digest().to_owned());
    let blob = image.blob_digests()[0].to_owned();
    let setup = PushSetup::start(token_registry(), "").await;
    setup.registry.publish_private("team/app", "1", &image);
    setup.registry.publish_private("team/app", "2", &image);
    let token = "token GET /auth/token?service=Docker registry&scope=repository:team/app:delete basic:alice 200";
    let mut expected = vec!["registry GET /v2/ anonymous 401".to_owned(), token.to_owned()];
    for (target, second_verdict) in [
        ("manifests/1".to_owned(), "404 MANIFEST_UNKNOWN"),
        (format!("manifests/{digest}"), "404 MANIFEST_UNKNOWN"),
        (format!("blobs/{blob}"), "404 BLOB_UNKNOWN"),
    ] {
        let target = format!("/v2/team/app/{target}");
        let reply = setup.send(Method::DELETE, &target, "").await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{target}: {reply:?}");
        expected.push(format!("registry DELETE {target} bearer#1 202"));
        setup.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
        expected.clear();
        let reply = setup.send(Method::DELETE, &target, "").await;
        assert_eq!(reply.status_and_code(), second_verdict, "{target}");
        setup.expect(&[&format!("registry DELETE {target} bearer#1 404")]);
    }
    setup.sim.finish();
}
