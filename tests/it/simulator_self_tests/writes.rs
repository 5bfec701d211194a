//! Pushes of manifests, and deletes.

use http::HeaderValue;

use crate::sim::{AuthMode, DeleteRules, Image, ImageFormat, Preset, Reply};
use crate::simulator_self_tests::{TestBench, status_and_code};

#[tokio::test(start_paused = true)]
async fn manifest_pushed_by_digest_gets_all_tags_of_its_query() {
    let bench = TestBench::open(Preset::generic()).await;
    let image = Image::single("app", ImageFormat::Oci);
    bench.registry.publish("acme/app", "1", &image);
    let (top, digest) = (image.top(), image.digest());
    let kind = format!("content-type: {}", top.media_type);
    for (reference, tags) in [(digest, &["2", "latest"][..]), ("3", &[][..])] {
        let target = format!("/v2/acme/app/manifests/{reference}?tag=2&tag=latest");
        let reply = bench.send("PUT", &target, &[&kind], &top.bytes).await;
        assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (201, Some(digest)));
        let added: Vec<&HeaderValue> = reply.headers.get_all("oci-tag").iter().collect();
        assert_eq!(added, tags, "{reference}");
    }
    let tags = bench.send("GET", "/v2/acme/app/tags/list", &[], b"").await;
    assert_eq!(tags.json()["tags"], serde_json::json!(["1", "2", "3", "latest"]));
    let wrong = format!("/v2/acme/app/manifests/sha256:{}", "0".repeat(64));
    assert_eq!(status_and_code(&bench.send("PUT", &wrong, &[&kind], &top.bytes).await), "400 DIGEST_INVALID");
}

#[tokio::test(start_paused = true)]
async fn deletes_get_the_reply_of_the_preset() {
    let quay = DeleteRules { blobs: Some(Reply::error(405, "UNSUPPORTED", "no")), ..DeleteRules::default() };
    let rows = vec![
        (Preset::generic(), ["202", "202", "202"]),
        (Preset::distribution(AuthMode::Open), ["202", "202", "202"]),
        (Preset::distribution(AuthMode::Open).without_delete(), ["405 UNSUPPORTED"; 3]),
        (Preset::distribution(AuthMode::Open).version_2(), ["400 DIGEST_INVALID", "202", "202"]),
        (Preset::ghcr(), ["405 UNSUPPORTED"; 3]),
        (Preset::harbor(), ["400 UNSUPPORTED", "202", "202"]),
        (Preset::generic().with_push_rules(|push| push.deletes = quay), ["202", "202", "405 UNSUPPORTED"]),
    ];
    for (preset, expected) in rows {
        let bench = TestBench::open(preset).await;
        let image = Image::single("app", ImageFormat::Oci);
        bench.registry.publish("acme/app", "1", &image);
        let blob = &image.blobs[0].digest;
        let targets = ["manifests/1".to_owned(), format!("manifests/{}", image.digest()), format!("blobs/{blob}")];
        for (target, expected) in targets.iter().zip(expected) {
            let target = format!("/v2/acme/app/{target}");
            assert_eq!(status_and_code(&bench.send("DELETE", &target, &[], b"").await), expected, "{target}");
            let unknown = if target.contains("blobs") { "404 BLOB_UNKNOWN" } else { "404 MANIFEST_UNKNOWN" };
            let again = if expected == "202" { unknown } else { expected };
            assert_eq!(status_and_code(&bench.send("DELETE", &target, &[], b"").await), again, "{target} again");
        }
        let unknown_repository =
            status_and_code(&bench.send("DELETE", &format!("/v2/acme/none/blobs/{blob}"), &[], b"").await);
        assert_eq!(unknown_repository, if expected[2] == "202" { "404 NAME_UNKNOWN" } else { expected[2] });
    }
}

/// The writes in the article on Docker Hub (docs/seed.md): denied with a token for `pull`, granted to the owner.
#[tokio::test(start_paused = true)]
async fn docker_hub_replies_to_writes_as_in_the_article() {
    let mut preset = Preset::docker_hub();
    preset.tokens.chunked = false;
    let bench = TestBench::start(preset).await;
    let image = Image::single("app", ImageFormat::Oci);
    bench.registry.publish("library/python", "3.10", &image);
    bench.registry.publish_private("alice/app", "1", &image);
    bench.registry.add_user("alice", "alices password");
    let kind = format!("content-type: {}", image.top().media_type);
    let reader = bench.bearer("repository:library/python:pull,push,delete", None).await;
    for (method, path) in [
        ("POST", "blobs/uploads/".to_owned()),
        ("PUT", "manifests/3.10".to_owned()),
        ("DELETE", "manifests/3.10".to_owned()),
        ("DELETE", format!("blobs/{}", image.blobs[0].digest)),
    ] {
        let target = format!("/v2/library/python/{path}");
        let reply = bench.send(method, &target, &[&reader, &kind], &image.top().bytes).await;
        assert_eq!(status_and_code(&reply), "401 UNAUTHORIZED", "{method} {path}");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{method} {path}: {challenge}");
    }
    let owner = bench.bearer("repository:alice/app:pull,push,delete", Some(("alice", "alices password"))).await;
    let deleted = bench.send("DELETE", "/v2/alice/app/manifests/1", &[&owner], b"").await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (202, 0));
}

/// The writes in the article on GHCR (docs/seed.md).
#[tokio::test(start_paused = true)]
async fn ghcr_replies_to_writes_as_in_the_article() {
    let bench = TestBench::start(Preset::ghcr()).await;
    let image = Image::single("python", ImageFormat::Docker);
    bench.registry.publish("toddysm/python", "3.10", &image);
    bench.registry.add_user("toddysm", "ghp_toddysm");
    let (top, digest, blob) = (image.top(), image.digest(), &image.blobs[0].digest);
    let credential = Some(("toddysm", "ghp_toddysm"));
    let bearer = bench.bearer("repository:toddysm/python:pull,push,delete", credential).await;
    for target in ["manifests/3.10", &format!("manifests/{digest}"), &format!("blobs/{blob}")] {
        let reply = bench.send("DELETE", &format!("/v2/toddysm/python/{target}"), &[&bearer], b"").await;
        assert_eq!(status_and_code(&reply), "405 UNSUPPORTED", "{target}");
    }
    let kind = format!("content-type: {}", top.media_type);
    let reply = bench.send("PUT", "/v2/toddysm/python/manifests/3.11", &[&bearer, &kind], &top.bytes).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0));
    assert_eq!(reply.header("location"), Some(&*format!("/v2/toddysm/python/manifests/{digest}")));
}
