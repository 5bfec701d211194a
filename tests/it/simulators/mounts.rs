//! Mounts, by what the registry asks of the repository they come from.

use crate::sim::{Blob, Mode, Preset, Reply, Source, WithoutFrom};
use crate::simulators::{Bench, NAME, UPLOADS, basic, verdict};

fn preset(source: Source, without_from: WithoutFrom) -> Preset {
    let mut preset =
        Preset::generic().pushes(|push| (push.mounts.source, push.mounts.without_from) = (source, without_from));
    // Each in its own namespace, so that there is something that may not be read.
    preset.policy = crate::sim::Policy::Namespaces;
    preset.gate.basic = true;
    preset
}

#[tokio::test(start_paused = true)]
async fn a_mount_succeeds_where_its_source_may_be_read() {
    let plain = || WithoutFrom::Ignored;
    let refused = WithoutFrom::Refused(Reply::error(400, "INVALID_REQUEST", "no"));
    let rows = [
        (Source::Scoped, plain(), "&from=acme/base", "201"),
        (Source::Scoped, plain(), "&from=acme/gone", "202"),
        (Source::Scoped, plain(), "&from=bob/secret", "401 UNAUTHORIZED"),
        (Source::Challenged, plain(), "&from=acme/base", "201"),
        (Source::Challenged, plain(), "&from=acme/gone", "401 UNAUTHORIZED"),
        (Source::Challenged, plain(), "&from=bob/secret", "401 UNAUTHORIZED"),
        (Source::Optional, plain(), "&from=acme/base", "201"),
        (Source::Optional, plain(), "&from=acme/gone", "202"),
        (Source::Optional, plain(), "&from=bob/secret", "202"),
        (Source::Never, plain(), "&from=acme/base", "202"),
        (Source::Scoped, plain(), "", "202"),
        (Source::Scoped, refused, "", "400 INVALID_REQUEST"),
        (Source::Scoped, WithoutFrom::Anywhere, "", "201"),
    ];
    for (source, without_from, from, expected) in rows {
        let bench = Bench::start(preset(source, without_from)).await;
        bench.registry.user("acme", "password");
        let blob = Blob::new("shared");
        for name in ["acme/base", "bob/secret"] {
            bench.registry.store().write(name, |repository| repository.blobs.insert(blob.digest.clone(), blob.clone()));
        }
        let target = format!("{UPLOADS}?mount={}{from}", blob.digest);
        let reply = bench.send("POST", &target, &[&basic("acme", "password")], b"").await;
        assert_eq!(verdict(&reply), expected, "{source:?} {from}");
        assert_eq!(bench.stored(&blob.digest).is_some(), expected == "201");
        if expected == "201" {
            assert_eq!(reply.header("docker-content-digest"), Some(&*blob.digest));
            assert!(reply.header("location").unwrap().ends_with(&format!("/v2/{NAME}/blobs/{}", blob.digest)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn anywhere_is_where_the_caller_may_read() {
    let bench = Bench::start(preset(Source::Scoped, WithoutFrom::Anywhere)).await;
    bench.registry.user("acme", "password");
    let blob = Blob::new("shared");
    bench.registry.store().write("bob/secret", |secret| secret.blobs.insert(blob.digest.clone(), blob.clone()));
    let target = format!("{UPLOADS}?mount={}", blob.digest);
    assert_eq!(bench.send("POST", &target, &[&basic("acme", "password")], b"").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn an_open_registry_mounts_for_everyone() {
    let bench = Bench::start(Preset::distribution(Mode::Open)).await;
    let blob = Blob::new("shared");
    bench.registry.publish_blob("acme/base", &blob);
    for (from, status) in [("acme/base", 201), ("acme/gone", 202)] {
        let reply = bench.send("POST", &format!("{UPLOADS}?mount={}&from={from}", blob.digest), &[], b"").await;
        assert_eq!(reply.status.as_u16(), status);
    }
}
