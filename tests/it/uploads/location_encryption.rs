//! The encrypted location of an upload: where it is valid, and for how long.

use std::io::Write as _;
use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{PushSetup, location_of, request_with_body, token_registry, with_digest};
use crate::harness::{Regpass, registry_table};
use crate::sim::{AuthMode, Preset, Registry, Sim};

const BLOB: &[u8] = b"a blob";
const KEY: &str = "upload_key = \"the key of all replicas\"";

/// Asserts that every upload request to this location is a 404, without a request to the registry.
async fn assert_unknown(sim: &Sim, regpass: &Regpass, target: &str) {
    sim.ledger().take();
    let finish = with_digest(target, BLOB);
    for (method, target) in
        [(Method::GET, target), (Method::PATCH, target), (Method::PUT, &*finish), (Method::DELETE, target)]
    {
        let reply = regpass.send(request_with_body(method.clone(), target, BLOB)).await;
        assert_eq!(reply.status_and_code(), "404 BLOB_UPLOAD_UNKNOWN", "{method} {target}");
        assert!(reply.error().1.contains("start a new upload"), "{method} {target}: {reply:?}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_forged_or_altered_location_is_a_404() {
    let setup = PushSetup::start(token_registry(), "").await;
    let valid = setup.start_upload("team/app").await;
    let (path, session) = valid.rsplit_once('/').unwrap();
    let mut altered = session.to_owned();
    altered.replace_range(60..61, if &session[60..61] == "A" { "B" } else { "A" });
    for invalid in [
        "upload-1".to_owned(),
        "A".repeat(session.len()),
        session[1..].to_owned(),
        session[..session.len() - 4].to_owned(),
        format!("{session}AAAA"),
        altered,
        "%2E%2E".to_owned(),
    ] {
        assert_unknown(&setup.sim, &setup.regpass, &format!("{path}/{invalid}")).await;
    }
    setup.finish_upload(&valid, BLOB, BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_location_is_a_404_for_another_repository_or_registry() {
    let other = Preset::distribution(AuthMode::Open).named("other");
    let (setup, _other) = PushSetup::start_beside(token_registry(), other, |registry, other| {
        let table = registry_table("other.test", other, "allow = [\"push\"]");
        format!("{}{table}", PushSetup::config_text(KEY, registry, ""))
    })
    .await;
    let valid = setup.start_upload("team/app").await;
    let session = valid.rsplit('/').next().unwrap();
    for target in [
        format!("/v2/team/other/blobs/uploads/{session}"),
        format!("/v2/team/app/deep/blobs/uploads/{session}"),
        format!("/v2/other.test/team/app/blobs/uploads/{session}"),
        format!("{valid}?ns=other.test"),
    ] {
        assert_unknown(&setup.sim, &setup.regpass, &target).await;
    }
    setup.sim.finish();
}

/// Starts a second regpass in front of the same registry, like a replica or the same process after a restart.
fn start_replica(setup: &PushSetup, top: &str) -> Regpass {
    Regpass::start(&setup.sim, &PushSetup::config_text(top, &setup.registry, ""))
}

/// Asserts that this regpass finishes the upload at this location.
async fn assert_finishes(regpass: &Regpass, registry: &Registry, target: &str) {
    registry.store().write("team/app", |repository| repository.blobs.clear());
    let finish = with_digest(target, BLOB);
    let reply = regpass.send(request_with_body(Method::PUT, &finish, BLOB)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn without_upload_key_another_process_answers_404() {
    let (setup, target) = PushSetup::with_upload().await;
    assert_unknown(&setup.sim, &start_replica(&setup, ""), &target).await;
    assert_unknown(&setup.sim, &start_replica(&setup, KEY), &target).await;
    assert_finishes(&setup.regpass, &setup.registry, &target).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn with_upload_key_any_replica_continues_an_upload() {
    let setup = PushSetup::start_with(KEY, token_registry(), "").await;
    let replica = start_replica(&setup, KEY);
    let target = setup.start_upload("team/app").await;
    let patched = replica.send(request_with_body(Method::PATCH, &target, &BLOB[..3])).await;
    assert_eq!(patched.status, 202, "{patched:?}");
    setup.finish_upload(&location_of(&patched), &BLOB[3..], BLOB).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn uploads_continue_while_upload_key_is_replaced() {
    let (old, new) = ("the old key of 16 bytes", "the new key of 16 bytes");
    let setup = PushSetup::start_with(&format!("upload_key = [\"{old}\"]"), token_registry(), "").await;
    let both = start_replica(&setup, &format!("upload_key = [\"{new}\", \"{old}\"]"));
    let after = start_replica(&setup, &format!("upload_key = [\"{new}\"]"));
    let started_before = setup.start_upload("team/app").await;
    let started_with_both = location_of(&both.send(request_with_body(Method::POST, super::UPLOADS, "")).await);
    assert_unknown(&setup.sim, &after, &started_before).await;
    assert_unknown(&setup.sim, &setup.regpass, &started_with_both).await;
    assert_finishes(&both, &setup.registry, &started_before).await;
    assert_finishes(&after, &setup.registry, &started_with_both).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_changed_key_file_invalidates_earlier_locations() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"the first key in the file\n").unwrap();
    let top = format!("upload_key = [{{ file = \"{}\" }}]", file.path().display());
    let setup = PushSetup::start_with(&top, token_registry(), "").await;
    let target = setup.start_upload("team/app").await;
    assert_finishes(&start_replica(&setup, "upload_key = \"the first key in the file\""), &setup.registry, &target)
        .await;

    let target = setup.start_upload("team/app").await;
    std::fs::write(file.path(), "the second key in the file, longer\n").unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_unknown(&setup.sim, &setup.regpass, &target).await;
    let target = setup.start_upload("team/app").await;
    assert_finishes(
        &start_replica(&setup, "upload_key = \"the second key in the file, longer\""),
        &setup.registry,
        &target,
    )
    .await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_file_is_a_500_that_names_it_until_the_file_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let setup =
        PushSetup::start_with(&format!("upload_key = {{ file = \"{}\" }}", path.display()), token_registry(), "").await;
    let reply = setup.send(Method::POST, super::UPLOADS, "").await;
    assert_eq!(reply.status, 500, "{reply:?}");
    let message = reply.error().1;
    assert!(message.contains("upload key") && message.contains(&*path.to_string_lossy()), "{message}");
    std::fs::write(&path, "a key that came later").unwrap();
    sleep(Duration::from_secs(5)).await;
    let target = setup.start_upload("team/app").await;
    setup.finish_upload(&target, BLOB, BLOB).await;
    setup.sim.finish();
}
