//! Pushing manifests, and deleting.

use http::Method;

use super::{Stage, carrying, plain};
use crate::harness::put;
use crate::sim::{Family, Image};

fn image() -> Image {
    Image::single("app", Family::Oci)
}

async fn stage() -> Stage {
    let stage = Stage::set(plain(), "").await;
    stage.registry.store().write("team/app", |repository| {
        repository.blobs.extend(image().blobs.iter().map(|blob| (blob.digest.clone(), blob.clone())));
    });
    stage.warm().await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_manifest_goes_by_tag_and_by_digest_with_more_tags() {
    let (image, digest) = (image(), image().digest().to_owned());
    for (target, tags, told) in [
        ("/v2/team/app/manifests/1".to_owned(), &["1"][..], 0),
        (format!("/v2/team/app/manifests/{digest}"), &[], 0),
        (format!("/v2/team/app/manifests/{digest}?tag=a"), &["a"], 1),
        (format!("/v2/team/app/manifests/{digest}?tag=a&tag=b"), &["a", "b"], 2),
    ] {
        let stage = stage().await;
        let reply = stage.regpass.send(put(&target, &image)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
        assert_eq!(reply.header("location"), Some(&*format!("/v2/team/app/manifests/{digest}")));
        assert_eq!(reply.headers.get_all("oci-tag").iter().count(), told, "{target}: {reply:?}");
        let entry = stage.sim.ledger().entries().remove(0);
        assert_eq!((entry.body_len, entry.body_whole), (image.top().bytes.len() as u64, true));
        stage.expect(&[&format!("registry PUT {target} bearer#1 201")]);
        let kept = stage.registry.store().read("team/app", |repository| {
            repository
                .tags
                .iter()
                .map(|(tag, of)| {
                    assert_eq!(*of, digest);
                    tag.clone()
                })
                .collect::<Vec<_>>()
        });
        assert_eq!(kept.unwrap(), tags);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_survives_a_token_that_was_revoked() {
    let stage = stage().await;
    stage.registry.revoke_tokens();
    let reply = stage.regpass.send(put("/v2/team/app/manifests/1", &image())).await;
    assert_eq!((reply.status.as_u16(), reply.grant()), (201, "fetched"));
    stage.expect(&[
        "registry PUT /v2/team/app/manifests/1 bearer#1 401",
        "token GET /auth/token?service=Docker registry&scope=repository:team/app:pull,push basic:alice 200",
        "registry PUT /v2/team/app/manifests/1 bearer#2 201",
    ]);
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_says_of_a_manifest_reaches_the_client() {
    let stage = Stage::set(plain(), "").await;
    let reply = stage.regpass.send(put("/v2/team/app/manifests/1", &image())).await;
    assert_eq!(reply.verdict(), "400 MANIFEST_BLOB_UNKNOWN");
    let missing = reply.json()["errors"][0]["detail"]["upstream"]["digest"].clone();
    assert!(missing.as_str().unwrap().starts_with("sha256:"), "{missing}");
    let reply =
        stage.regpass.send(carrying(Method::PUT, "/v2/team/app/manifests/1", vec![b' '; 4 * 1024 * 1024 + 1])).await;
    assert_eq!(reply.verdict(), "413 SIZE_INVALID");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn tags_manifests_and_blobs_can_be_deleted() {
    let (image, digest) = (image(), image().digest().to_owned());
    let blob = image.blob_digests()[0].to_owned();
    let stage = Stage::set(plain(), "").await;
    stage.registry.keep("team/app", "1", &image);
    stage.registry.keep("team/app", "2", &image);
    let token = "token GET /auth/token?service=Docker registry&scope=repository:team/app:delete basic:alice 200";
    let mut before = vec!["registry GET /v2/ anonymous 401".to_owned(), token.to_owned()];
    for (target, again) in [
        ("manifests/1".to_owned(), "404 MANIFEST_UNKNOWN"),
        (format!("manifests/{digest}"), "404 MANIFEST_UNKNOWN"),
        (format!("blobs/{blob}"), "404 BLOB_UNKNOWN"),
    ] {
        let target = format!("/v2/team/app/{target}");
        let reply = stage.send(Method::DELETE, &target, "").await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{target}: {reply:?}");
        before.push(format!("registry DELETE {target} bearer#1 202"));
        stage.expect(&before.iter().map(String::as_str).collect::<Vec<_>>());
        before.clear();
        let reply = stage.send(Method::DELETE, &target, "").await;
        assert_eq!(reply.verdict(), again);
        stage.expect(&[&format!("registry DELETE {target} bearer#1 404")]);
    }
    stage.sim.finish();
}
