//! The location of an upload leads where the registry said, or nowhere.

use std::io::Write as _;
use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{Stage, and, carrying, location, plain};
use crate::harness::{Regpass, Reply, table};
use crate::sim::{Mode, Preset, Registry, Sim, sha256};

const BLOB: &[u8] = b"a blob";
const KEY: &str = "upload_key = \"the key of all replicas\"";

/// Every step, at a location.
async fn steps(regpass: &Regpass, target: &str) -> Vec<Reply> {
    let finish = and(target, &format!("digest={}", sha256(BLOB)));
    let mut replies = Vec::new();
    for (method, target) in
        [(Method::GET, target), (Method::PATCH, target), (Method::PUT, &*finish), (Method::DELETE, target)]
    {
        replies.push(regpass.send(carrying(method, target, BLOB)).await);
    }
    replies
}

async fn assert_unknown(sim: &Sim, regpass: &Regpass, target: &str) {
    sim.ledger().take();
    for reply in steps(regpass, target).await {
        assert_eq!(reply.verdict(), "404 BLOB_UPLOAD_UNKNOWN", "{target}");
        assert!(reply.error().1.contains("start the upload anew"), "{reply:?}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn forged_and_altered_locations_lead_nowhere() {
    let stage = Stage::set(plain(), "").await;
    let good = stage.begin("team/app").await;
    let (path, session) = good.rsplit_once('/').unwrap();
    let mut middle = session.to_owned();
    middle.replace_range(60..61, if &session[60..61] == "A" { "B" } else { "A" });
    for forged in [
        "upload-1".to_owned(),
        "A".repeat(session.len()),
        session[1..].to_owned(),
        session[..session.len() - 4].to_owned(),
        format!("{session}AAAA"),
        middle,
        "%2E%2E".to_owned(),
    ] {
        assert_unknown(&stage.sim, &stage.regpass, &format!("{path}/{forged}")).await;
    }
    stage.finish(&good, BLOB, BLOB).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_location_is_good_for_its_own_repository_and_registry_only() {
    let sim = Sim::memory();
    let registry = sim.start(plain()).await;
    let other = sim.start(Preset::distribution(Mode::Open).named("other")).await;
    registry.user("alice", "alices password");
    let text = format!("{}{}", Stage::text(KEY, &registry, ""), table("other.test", &other, "allow = [\"push\"]"));
    let regpass = Regpass::start(&sim, &text);
    let good = location(&regpass.send(carrying(Method::POST, super::UPLOADS, "")).await);
    let session = good.rsplit('/').next().unwrap();
    for elsewhere in [
        format!("/v2/team/other/blobs/uploads/{session}"),
        format!("/v2/team/app/deep/blobs/uploads/{session}"),
        format!("/v2/other.test/team/app/blobs/uploads/{session}"),
        format!("{good}?ns=other.test"),
    ] {
        assert_unknown(&sim, &regpass, &elsewhere).await;
    }
    sim.finish();
}

/// A second regpass in front of the same registry, as a replica or after a restart.
fn another(stage: &Stage, top: &str) -> Regpass {
    Regpass::start(&stage.sim, &Stage::text(top, &stage.registry, ""))
}

async fn goes_on(regpass: &Regpass, registry: &Registry, target: &str) {
    registry.store().write("team/app", |repository| repository.blobs.clear());
    let finish = and(target, &format!("digest={}", sha256(BLOB)));
    let reply = regpass.send(carrying(Method::PUT, &finish, BLOB)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_key_uploads_end_with_their_process() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    assert_unknown(&stage.sim, &another(&stage, ""), &target).await;
    assert_unknown(&stage.sim, &another(&stage, KEY), &target).await;
    goes_on(&stage.regpass, &stage.registry, &target).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn with_a_key_any_replica_goes_on() {
    let stage = Stage::set_with(KEY, plain(), "").await;
    let replica = another(&stage, KEY);
    let target = stage.begin("team/app").await;
    let patched = replica.send(carrying(Method::PATCH, &target, &BLOB[..3])).await;
    assert_eq!(patched.status, 202, "{patched:?}");
    stage.finish(&location(&patched), &BLOB[3..], BLOB).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn keys_change_without_an_upload_lost() {
    let (old, new) = ("the old key of 16 bytes", "the new key of 16 bytes");
    let stage = Stage::set_with(&format!("upload_key = [\"{old}\"]"), plain(), "").await;
    let both = another(&stage, &format!("upload_key = [\"{new}\", \"{old}\"]"));
    let after = another(&stage, &format!("upload_key = [\"{new}\"]"));
    let begun_before = stage.begin("team/app").await;
    let begun_meanwhile = location(&both.send(carrying(Method::POST, super::UPLOADS, "")).await);
    assert_unknown(&stage.sim, &after, &begun_before).await;
    assert_unknown(&stage.sim, &stage.regpass, &begun_meanwhile).await;
    goes_on(&both, &stage.registry, &begun_before).await;
    goes_on(&after, &stage.registry, &begun_meanwhile).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_key_may_be_a_file_that_changes() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"the first key in the file\n").unwrap();
    let top = format!("upload_key = [{{ file = \"{}\" }}]", file.path().display());
    let stage = Stage::set_with(&top, plain(), "").await;
    let target = stage.begin("team/app").await;
    goes_on(&another(&stage, "upload_key = \"the first key in the file\""), &stage.registry, &target).await;

    let target = stage.begin("team/app").await;
    std::fs::write(file.path(), "the second key in the file, longer\n").unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_unknown(&stage.sim, &stage.regpass, &target).await;
    let target = stage.begin("team/app").await;
    goes_on(&another(&stage, "upload_key = \"the second key in the file, longer\""), &stage.registry, &target).await;
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_key_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let stage = Stage::set_with(&format!("upload_key = {{ file = \"{}\" }}", path.display()), plain(), "").await;
    let reply = stage.send(Method::POST, super::UPLOADS, "").await;
    assert_eq!(reply.status, 500, "{reply:?}");
    let message = reply.error().1;
    assert!(message.contains("upload key") && message.contains(&*path.to_string_lossy()), "{message}");
    std::fs::write(&path, "a key that came later").unwrap();
    sleep(Duration::from_secs(5)).await;
    let target = stage.begin("team/app").await;
    stage.finish(&target, BLOB, BLOB).await;
    stage.sim.finish();
}
