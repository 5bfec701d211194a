//! Mounts, by what the preset requires of the source repository.

use crate::sim::{AuthMode, Blob, MountSource, MountWithoutFrom, Preset, Reply};
use crate::simulator_self_tests::{NAME, TestBench, UPLOADS, basic, status_and_code};

fn preset(source: MountSource, without_from: MountWithoutFrom) -> Preset {
    let mut preset = Preset::generic()
        .with_push_rules(|push| (push.mounts.source, push.mounts.without_from) = (source, without_from));
    // With namespaces there is a repository that the user may not read.
    preset.policy = crate::sim::Policy::Namespaces;
    preset.access.accepts_basic = true;
    preset
}

#[tokio::test(start_paused = true)]
async fn mount_gets_the_reply_of_the_preset() {
    let plain = || MountWithoutFrom::OpensSession;
    let refused = MountWithoutFrom::Rejected(Reply::error(400, "INVALID_REQUEST", "no"));
    let rows = [
        (MountSource::ScopeRequired, plain(), "&from=acme/base", "201"),
        (MountSource::ScopeRequired, plain(), "&from=acme/gone", "202"),
        (MountSource::ScopeRequired, plain(), "&from=bob/secret", "401 UNAUTHORIZED"),
        (MountSource::ScopeAndSourceRequired, plain(), "&from=acme/base", "201"),
        (MountSource::ScopeAndSourceRequired, plain(), "&from=acme/gone", "401 UNAUTHORIZED"),
        (MountSource::ScopeAndSourceRequired, plain(), "&from=bob/secret", "401 UNAUTHORIZED"),
        (MountSource::Optional, plain(), "&from=acme/base", "201"),
        (MountSource::Optional, plain(), "&from=acme/gone", "202"),
        (MountSource::Optional, plain(), "&from=bob/secret", "202"),
        (MountSource::Referenced, plain(), "&from=acme/base", "202"),
        (MountSource::Never, plain(), "&from=acme/base", "202"),
        (MountSource::ScopeRequired, plain(), "", "202"),
        (MountSource::ScopeRequired, refused, "", "400 INVALID_REQUEST"),
        (MountSource::ScopeRequired, MountWithoutFrom::AnyReadable, "", "201"),
    ];
    for (source, without_from, from, expected) in rows {
        let bench = TestBench::start(preset(source, without_from)).await;
        bench.registry.add_user("acme", "password");
        let blob = Blob::new("shared");
        for name in ["acme/base", "bob/secret"] {
            bench.registry.store().write(name, |repository| repository.blobs.insert(blob.digest.clone(), blob.clone()));
        }
        let target = format!("{UPLOADS}?mount={}{from}", blob.digest);
        let reply = bench.send("POST", &target, &[&basic("acme", "password")], b"").await;
        assert_eq!(status_and_code(&reply), expected, "{source:?} {from}");
        assert_eq!(bench.stored_blob(&blob.digest).is_some(), expected == "201");
        if expected == "201" {
            assert_eq!(reply.header("docker-content-digest"), Some(&*blob.digest));
            assert!(reply.header("location").unwrap().ends_with(&format!("/v2/{NAME}/blobs/{}", blob.digest)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn mount_without_from_ignores_repositories_that_the_caller_may_not_read() {
    let bench = TestBench::start(preset(MountSource::ScopeRequired, MountWithoutFrom::AnyReadable)).await;
    bench.registry.add_user("acme", "password");
    let blob = Blob::new("shared");
    bench.registry.store().write("bob/secret", |secret| secret.blobs.insert(blob.digest.clone(), blob.clone()));
    let target = format!("{UPLOADS}?mount={}", blob.digest);
    assert_eq!(bench.send("POST", &target, &[&basic("acme", "password")], b"").await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn open_registry_mounts_without_a_credential() {
    let bench = TestBench::start(Preset::distribution(AuthMode::Open)).await;
    let blob = Blob::new("shared");
    bench.registry.publish_blob("acme/base", &blob);
    for (from, status) in [("acme/base", 201), ("acme/gone", 202)] {
        let reply = bench.send("POST", &format!("{UPLOADS}?mount={}&from={from}", blob.digest), &[], b"").await;
        assert_eq!(reply.status.as_u16(), status);
    }
}
