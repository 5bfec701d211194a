//! Logins that a registry or its token service refuses: pulls go on without them, and the operator hears of it once.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use regpass::credential::environment::Environment;
use tokio::time::advance;

use crate::credentials::{APP, REJECTED, TOOL, docker_login, logins, password, start};
use crate::harness::{Regpass, only, put};
use crate::log::Log;
use crate::sim::{Family, Fault, Image, Mode, Preset, Sim};

#[tokio::test(start_paused = true)]
async fn a_stale_login_is_told_once_and_pulls_go_on() {
    let log = Log::listen();
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let folder = tempfile::tempdir().unwrap();
    let login = docker_login(&folder, "generic.test", "alice", "old-password");
    let regpass = Regpass::start(&sim, &only(&registry, &format!("allow = [\"pull\", \"push\"]\n{login}")));
    let first = join_all((0..30).map(|_| regpass.get(APP))).await;
    assert!(first.iter().all(|reply| reply.status == 200 && reply.grant() == "login rejected, anonymous"));
    assert_eq!(logins(&sim), ["basic:alice", "anonymous"], "each was asked once");
    let refused = regpass.send(put(APP, &Image::single("team/app", Family::Oci))).await;
    assert_eq!((refused.verdict(), logins(&sim)), ("403 DENIED".into(), vec!["basic:alice".into()]), "never anonymous");
    assert_eq!(regpass.get(TOOL).await.status, 200);
    assert_eq!(logins(&sim), ["anonymous"], "a wrong password is wrong for every repository");
    for _ in 0..30 {
        assert_eq!(regpass.get(APP).await.status, 200);
        advance(Duration::from_secs(60)).await;
    }
    assert_eq!(regpass.metric("regpass_credential_rejected_total"), [REJECTED]);
    let told = log.lines("rejects the stored login");
    assert!(told.len() == 1 && told[0].contains("WARN") && told[0].contains("config.json"), "{told:?}");
    assert_eq!(log.lines("old-password"), [""; 0]);
    sim.ledger().take();

    let refused = regpass.send(put(APP, &Image::single("team/app", Family::Oci))).await;
    assert_eq!(refused.verdict(), "403 DENIED");
    let message = refused.error().1;
    assert!(message.contains("config.json") && message.contains("401"), "{message}");
    let private = regpass.get("/v2/team/secret/manifests/1").await;
    assert_eq!(private.verdict(), "403 DENIED");
    assert!(private.error().1.contains("config.json"), "{:?}", private.error());

    sim.ledger().take();
    docker_login(&folder, "generic.test", "alice", "wonderland");
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status, 200, "a changed secret starts anew");
    assert_eq!(regpass.send(put(APP, &Image::single("team/app", Family::Oci))).await.status, 201);
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_basic_registry_gets_the_login_and_nothing_else() {
    for (login, public, grant) in [
        (password("alice", "wonderland"), 200, "direct"),
        (password("alice", "wrong"), 403, "login rejected, none"),
        (String::new(), 403, "none"),
    ] {
        let sim = Sim::memory();
        let registry = start(&sim, Preset::distribution(Mode::Htpasswd)).await;
        let regpass = Regpass::start(&sim, &only(&registry, &login));
        let reply = regpass.get(APP).await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (public, grant), "{login}");
        let seen: Vec<_> = sim.ledger().take().iter().map(|entry| entry.authorization.to_string()).collect();
        let expected: &[&str] = match grant {
            "direct" => &["anonymous", "basic:alice"],
            "none" => &["anonymous"],
            _ => &["anonymous", "basic:alice", "anonymous"],
        };
        assert_eq!(seen, expected, "{login}");
        assert_eq!(regpass.get(APP).await.status.as_u16(), public);
        assert_eq!(sim.ledger().take().len(), usize::from(public == 200), "{login}: a refusal is remembered");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_door_does_not_spoil_a_good_login_elsewhere() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::distribution(Mode::Htpasswd)).await;
    registry.registry().inject(Fault::challenge(&[r#"Basic realm="x""#]).path("team/secret"));
    let regpass = Regpass::start(&sim, &only(&registry, &password("alice", "wonderland")));
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.verdict(), "403 DENIED");
    assert_eq!(regpass.get(APP).await.grant(), "direct");
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.verdict(), "403 DENIED");
    assert_eq!(regpass.get(APP).await.grant(), "direct");
    sim.finish();
}

/// A helper that says what the file beside it says, and counts how often it was asked.
fn helper(folder: &Path) -> Environment {
    let program = folder.join("docker-credential-test");
    let folder = folder.display();
    fs::write(&program, format!("#!/bin/sh\ncat > /dev/null\necho x >> {folder}/asked\ncat {folder}/answer\n"))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path: OsString = folder.to_string().into();
    Environment::read(|name| (name == "PATH").then(|| path.clone()))
}

/// Real time: a process does not wait for a paused clock.
#[tokio::test]
async fn a_helper_that_has_a_newer_login_is_asked_when_the_old_one_is_refused() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let folder = tempfile::tempdir().unwrap();
    let answers = |password: &str| {
        let answer = format!(r#"{{"ServerURL":"generic.test","Username":"alice","Secret":"{password}"}}"#);
        fs::write(folder.path().join("answer"), answer).unwrap();
    };
    let asked = || fs::read_to_string(folder.path().join("asked")).unwrap_or_default().lines().count();
    answers("wonderland");
    let login = r#"credential = { source = "helper", name = "test" }"#;
    let regpass = Regpass::start_in(&sim, &only(&registry, login), helper(folder.path()));
    let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!((logins(&sim), asked()), (vec!["basic:alice".to_owned()], 1));

    registry.user("alice", "looking-glass");
    answers("looking-glass");
    assert_eq!(regpass.get(TOOL).await.status, 200);
    assert_eq!((logins(&sim), asked()), (vec!["basic:alice".to_owned(), "basic:alice".to_owned()], 2));
    assert_eq!(regpass.metric("regpass_credential_rejected_total"), [""; 0], "the newer one was good");
    sim.finish();
}
