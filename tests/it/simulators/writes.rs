//! Manifests with several tags, and what can be deleted.

use http::HeaderValue;

use crate::sim::{Deletes, Family, Image, Mode, Preset, Reply};
use crate::simulators::{Bench, basic, verdict};

#[tokio::test(start_paused = true)]
async fn a_manifest_pushed_by_digest_takes_all_its_tags() {
    let bench = Bench::open(Preset::generic()).await;
    let image = Image::single("app", Family::Oci);
    bench.registry.publish("acme/app", "1", &image);
    let (top, digest) = (image.top(), image.digest());
    let kind = format!("content-type: {}", top.media_type);
    for (reference, tags) in [(digest, &["2", "latest"][..]), ("3", &[][..])] {
        let target = format!("/v2/acme/app/manifests/{reference}?tag=2&tag=latest");
        let reply = bench.send("PUT", &target, &[&kind], &top.bytes).await;
        assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (201, Some(digest)));
        let told: Vec<&HeaderValue> = reply.headers.get_all("oci-tag").iter().collect();
        assert_eq!(told, tags, "{reference}");
    }
    let tags = bench.send("GET", "/v2/acme/app/tags/list", &[], b"").await;
    assert_eq!(tags.json()["tags"], serde_json::json!(["1", "2", "3", "latest"]));
    let wrong = format!("/v2/acme/app/manifests/sha256:{}", "0".repeat(64));
    assert_eq!(verdict(&bench.send("PUT", &wrong, &[&kind], &top.bytes).await), "400 DIGEST_INVALID");
}

#[tokio::test(start_paused = true)]
async fn tags_manifests_and_blobs_are_deleted_where_that_is_allowed() {
    let quay = Deletes { blobs: Some(Reply::error(405, "UNSUPPORTED", "no")), ..Deletes::default() };
    let rows = vec![
        (Preset::generic(), ["202", "202", "202"]),
        (Preset::distribution(Mode::Open), ["202", "202", "202"]),
        (Preset::distribution(Mode::Open).without_delete(), ["405 UNSUPPORTED"; 3]),
        (Preset::ghcr(), ["405 UNSUPPORTED"; 3]),
        (Preset::harbor(), ["400 UNSUPPORTED", "202", "202"]),
        (Preset::generic().pushes(|push| push.deletes = quay), ["202", "202", "405 UNSUPPORTED"]),
    ];
    for (preset, expected) in rows {
        let bench = Bench::open(preset).await;
        let image = Image::single("app", Family::Oci);
        bench.registry.publish("acme/app", "1", &image);
        let blob = &image.blobs[0].digest;
        let targets = ["manifests/1".to_owned(), format!("manifests/{}", image.digest()), format!("blobs/{blob}")];
        for (target, expected) in targets.iter().zip(expected) {
            let target = format!("/v2/acme/app/{target}");
            assert_eq!(verdict(&bench.send("DELETE", &target, &[], b"").await), expected, "{target}");
            let unknown = if target.contains("blobs") { "404 BLOB_UNKNOWN" } else { "404 MANIFEST_UNKNOWN" };
            let again = if expected == "202" { unknown } else { expected };
            assert_eq!(verdict(&bench.send("DELETE", &target, &[], b"").await), again, "{target} again");
        }
        let nowhere = verdict(&bench.send("DELETE", &format!("/v2/acme/none/blobs/{blob}"), &[], b"").await);
        assert_eq!(nowhere, if expected[2] == "202" { "404 NAME_UNKNOWN" } else { expected[2] });
    }
}

/// The write rows of the article on Docker Hub: what a token for `pull` may not, and a login may.
#[tokio::test(start_paused = true)]
async fn docker_hub_answers_writes_as_the_article_shows() {
    let mut preset = Preset::docker_hub();
    preset.tokens.chunked = false;
    let bench = Bench::start(preset).await;
    let image = Image::single("app", Family::Oci);
    bench.registry.publish("library/python", "3.10", &image);
    bench.registry.keep("alice/app", "1", &image);
    bench.registry.user("alice", "alices password");
    let kind = format!("content-type: {}", image.top().media_type);
    let service = "http://auth.hub.test/token?service=registry.docker.io";
    let reader = bearer(&bench, service, "library/python", &[]).await;
    for (method, path) in [
        ("POST", "blobs/uploads/".to_owned()),
        ("PUT", "manifests/3.10".to_owned()),
        ("DELETE", "manifests/3.10".to_owned()),
        ("DELETE", format!("blobs/{}", image.blobs[0].digest)),
    ] {
        let target = format!("/v2/library/python/{path}");
        let reply = bench.send(method, &target, &[&reader, &kind], &image.top().bytes).await;
        assert_eq!(verdict(&reply), "401 UNAUTHORIZED", "{method} {path}");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{method} {path}: {challenge}");
    }
    let login = basic("alice", "alices password");
    let owner = bearer(&bench, service, "alice/app", &[&login]).await;
    let deleted = bench.send("DELETE", "/v2/alice/app/manifests/1", &[&owner], b"").await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (202, 0));
}

/// The write rows of the article on GHCR.
#[tokio::test(start_paused = true)]
async fn ghcr_answers_writes_as_the_article_shows() {
    let bench = Bench::start(Preset::ghcr()).await;
    let image = Image::single("python", Family::Docker);
    bench.registry.publish("toddysm/python", "3.10", &image);
    bench.registry.user("toddysm", "ghp_toddysm");
    let (top, digest, blob) = (image.top(), image.digest(), &image.blobs[0].digest);
    let login = basic("toddysm", "ghp_toddysm");
    let bearer = bearer(&bench, "http://ghcr.test/token?service=ghcr.test", "toddysm/python", &[&login]).await;
    for target in ["manifests/3.10", &format!("manifests/{digest}"), &format!("blobs/{blob}")] {
        let reply = bench.send("DELETE", &format!("/v2/toddysm/python/{target}"), &[&bearer], b"").await;
        assert_eq!(verdict(&reply), "405 UNSUPPORTED", "{target}");
    }
    let kind = format!("content-type: {}", top.media_type);
    let reply = bench.send("PUT", "/v2/toddysm/python/manifests/3.11", &[&bearer, &kind], &top.bytes).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0));
    assert_eq!(reply.header("location"), Some(&*format!("/v2/toddysm/python/manifests/{digest}")));
}

/// The header with a token for everything, as far as it is granted.
async fn bearer(bench: &Bench, service: &str, name: &str, login: &[&str]) -> String {
    let target = format!("{service}&scope=repository:{name}:pull,push,delete");
    let reply = bench.send("GET", &target, login, b"").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    format!("authorization: Bearer {}", reply.json()["token"].as_str().unwrap())
}
