//! Credentials that the registry or its token service rejects: pulls continue anonymously, with one warning.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use regpass::credential::environment::Environment;
use tokio::time::advance;

use crate::credentials::{APP, ONE_REJECTED, TOOL, docker_credential, password, start, token_authorizations};
use crate::harness::{Regpass, manifest_put, single_registry_config};
use crate::log::Log;
use crate::sim::{AuthMode, Fault, Image, ImageFormat, Preset, Sim};

#[tokio::test(start_paused = true)]
async fn rejected_credential_is_reported_once_and_pulls_continue() {
    let log = Log::capture();
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let folder = tempfile::tempdir().unwrap();
    let credential = docker_credential(&folder, "generic.test", "alice", "old-password");
    let regpass = Regpass::start(
        &sim,
        &single_registry_config(&registry, &format!("allow = [\"pull\", \"push\"]\n{credential}")),
    );
    let first = join_all((0..30).map(|_| regpass.get(APP))).await;
    assert!(
        first.iter().all(|reply| reply.status == 200 && reply.authorization_source() == "login rejected, anonymous")
    );
    assert_eq!(
        token_authorizations(&sim),
        ["basic:alice", "anonymous"],
        "regpass sends one token request with the credential, one without"
    );
    let push = || regpass.send(manifest_put(APP, &Image::single("team/app", ImageFormat::Oci)));
    assert_eq!(
        (push().await.status_and_code(), token_authorizations(&sim)),
        ("403 DENIED".into(), vec!["basic:alice".into()]),
        "a push is never anonymous"
    );
    assert_eq!(regpass.get(TOOL).await.status, 200);
    assert_eq!(token_authorizations(&sim), ["anonymous"], "the credential is not sent for another repository either");
    for _ in 0..30 {
        assert_eq!(regpass.get(APP).await.status, 200);
        advance(Duration::from_secs(60)).await;
    }
    assert_eq!(regpass.metric("regpass_credential_rejected_total"), [ONE_REJECTED]);
    let warnings = log.lines("rejected the credential");
    assert!(warnings.len() == 1 && warnings[0].contains("WARN") && warnings[0].contains("config.json"), "{warnings:?}");
    assert_eq!(log.lines("old-password"), [""; 0]);
    sim.ledger().take();

    let denied = push().await;
    assert_eq!(denied.status_and_code(), "403 DENIED");
    let message = denied.error().1;
    assert!(message.contains("config.json") && message.contains("401"), "{message}");
    let private = regpass.get("/v2/team/secret/manifests/1").await;
    assert_eq!(private.status_and_code(), "403 DENIED");
    assert!(private.error().1.contains("config.json"), "{:?}", private.error());

    sim.ledger().take();
    docker_credential(&folder, "generic.test", "alice", "wonderland");
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status, 200, "a changed credential is tried");
    assert_eq!(push().await.status, 201);
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn basic_registry_receives_the_credential_and_a_rejection_is_cached() {
    for (credential, status, source) in [
        (password("alice", "wonderland"), 200, "direct"),
        (password("alice", "wrong"), 403, "login rejected, none"),
        (String::new(), 403, "none"),
    ] {
        let sim = Sim::memory();
        let registry = start(&sim, Preset::distribution(AuthMode::Htpasswd)).await;
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, &credential));
        let reply = regpass.get(APP).await;
        assert_eq!((reply.status.as_u16(), reply.authorization_source()), (status, source), "{credential}");
        let sent: Vec<_> = sim.ledger().take().iter().map(|entry| entry.authorization.to_string()).collect();
        let expected: &[&str] = match source {
            "direct" => &["anonymous", "basic:alice"],
            "none" => &["anonymous"],
            _ => &["anonymous", "basic:alice", "anonymous"],
        };
        assert_eq!(sent, expected, "{credential}");
        assert_eq!(regpass.get(APP).await.status.as_u16(), status);
        assert_eq!(sim.ledger().take().len(), usize::from(status == 200), "{credential}: a denial is cached");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn denial_of_one_repository_does_not_reject_the_credential() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::distribution(AuthMode::Htpasswd)).await;
    registry.api().inject(Fault::challenge(&[r#"Basic realm="x""#]).path("team/secret"));
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &password("alice", "wonderland")));
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status_and_code(), "403 DENIED");
    assert_eq!(regpass.get(APP).await.authorization_source(), "direct");
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status_and_code(), "403 DENIED");
    assert_eq!(regpass.get(APP).await.authorization_source(), "direct");
    sim.finish();
}

/// Writes a credential helper that prints the file `answer` in its folder and appends a line to the file `calls` there.
/// Returns the environment whose `PATH` has the helper.
fn helper_environment(folder: &Path) -> Environment {
    let program = folder.join("docker-credential-test");
    let folder = folder.display();
    fs::write(&program, format!("#!/bin/sh\ncat > /dev/null\necho x >> {folder}/calls\ncat {folder}/answer\n"))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Environment::new([("PATH", folder.to_string())])
}

/// The clock is not paused, as it would run ahead while regpass waits for the helper.
#[tokio::test]
async fn helper_is_run_again_when_its_credential_is_rejected() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let folder = tempfile::tempdir().unwrap();
    let set_answer = |password: &str| {
        let answer = format!(r#"{{"ServerURL":"generic.test","Username":"alice","Secret":"{password}"}}"#);
        fs::write(folder.path().join("answer"), answer).unwrap();
    };
    let calls = || fs::read_to_string(folder.path().join("calls")).unwrap_or_default().lines().count();
    set_answer("wonderland");
    let credential = r#"credential = { source = "helper", name = "test" }"#;
    let regpass = Regpass::start_with_environment(
        &sim,
        &single_registry_config(&registry, credential),
        helper_environment(folder.path()),
    );
    let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!((token_authorizations(&sim), calls()), (vec!["basic:alice".to_owned()], 1));

    registry.add_user("alice", "looking-glass");
    set_answer("looking-glass");
    assert_eq!(regpass.get(TOOL).await.status, 200);
    assert_eq!((token_authorizations(&sim), calls()), (vec!["basic:alice".to_owned(), "basic:alice".to_owned()], 2));
    assert_eq!(regpass.metric("regpass_credential_rejected_total"), [""; 0], "the newer credential is valid");
    sim.finish();
}
