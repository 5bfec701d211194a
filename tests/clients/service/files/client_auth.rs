//! The htpasswd file and the bearer secret of a listener's clients.

use std::fs;
use std::path::Path;

use super::{Breakage, EMPTY, REMOVED_SECRET, assert_survives};
use crate::process::stdout;
use crate::service::problem_reports;
use crate::service::testbed::{MANIFEST, RunningRegpass, Testbed, curl, status_only};

fn write_htpasswd(file: &Path, user: &str, password: &str) {
    let hash = bcrypt::hash_with_salt(password, 4, [3; 16]).expect("a hash").to_string();
    fs::write(file, format!("{user}:{hash}\n")).expect("the htpasswd file is written");
}

/// The status of a request with this user name and password, separated by a colon.
async fn status_as(regpass: &RunningRegpass, credential: &str) -> String {
    let mut curl = curl();
    status_only(&mut curl).args(["--user", credential]);
    stdout(curl.arg(format!("http://{}{MANIFEST}", regpass.address))).await
}

#[tokio::test]
async fn broken_htpasswd_file_is_survived_and_a_changed_one_takes_effect() {
    let testbed = Testbed::start().await;
    let file = testbed.home.path().join("htpasswd");
    write_htpasswd(&file, "alice", "one");
    let keys = format!("clients = {{ htpasswd = \"{}\" }}", file.display());
    let regpass = testbed.start_regpass(&testbed.config_with_listener_keys(&keys)).await;
    let assert_active = async |case: &str| assert_eq!(status_as(&regpass, "alice:one").await, "200", "{case}");
    let breakages: &[Breakage<'_>] = &[
        ("no colon", Some(b"alice"), &["line 1: there is no colon"]),
        ("another hash", Some(b"alice:{SHA}not-a-real-hash="), &["not hashed with bcrypt"]),
        ("empty", EMPTY.1, &["contains no user"]),
        REMOVED_SECRET,
    ];
    assert_survives(&regpass, &file, "listener.clients.htpasswd", breakages, assert_active).await;
    write_htpasswd(&file, "alice", "two");
    regpass.eventually("the new password", async || status_as(&regpass, "alice:two").await == "200").await;
    assert_eq!(status_as(&regpass, "alice:one").await, "401", "the old password");
    testbed.sim.finish();
}

#[tokio::test]
async fn configuration_with_a_broken_htpasswd_file_becomes_active_once_the_file_is_valid() {
    let testbed = Testbed::start().await;
    let regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    let file = testbed.home.path().join("htpasswd");
    fs::write(&file, "nonsense").unwrap();
    let skip = regpass.daemon.log_length();
    let keys = format!("clients = {{ htpasswd = \"{}\" }}", file.display());
    testbed.write_config(&testbed.config_with_listener_keys(&keys));
    let key = "listener.clients.htpasswd";
    problem_reports::assert_shown(&regpass, skip, "a broken htpasswd file", key, &["line 1"]).await;
    assert_eq!(status_as(&regpass, "alice:one").await, "200", "the old configuration requires no credential");
    write_htpasswd(&file, "alice", "one");
    problem_reports::assert_cleared(&regpass, "a valid htpasswd file").await;
    assert_eq!(status_as(&regpass, "alice:one").await, "200", "the right password");
    assert_eq!(status_as(&regpass, "alice:two").await, "401", "a wrong password");
    testbed.sim.finish();
}

#[tokio::test]
async fn broken_bearer_secret_is_survived_and_a_changed_one_takes_effect() {
    let testbed = Testbed::start().await;
    let file = testbed.home.path().join("bearer");
    let key = "listener.clients.bearer";
    let keys = format!("clients = {{ bearer = {{ file = \"{}\" }} }}", file.display());
    let regpass = testbed.start_regpass(&testbed.config_with_listener_keys(&keys)).await;
    problem_reports::assert_shown(&regpass, 0, "no file yet", key, &["does not exist"]).await;
    assert_eq!(status_as(&regpass, "any:one").await, "503");
    fs::write(&file, "one\n").unwrap();
    problem_reports::assert_cleared(&regpass, "the first file").await;

    let assert_active = async |case: &str| assert_eq!(status_as(&regpass, "any:one").await, "200", "{case}");
    let breakages: &[Breakage<'_>] =
        &[("empty", Some(b"\n"), &["is empty"]), ("not UTF-8", Some(b"\xff"), &["UTF-8"]), REMOVED_SECRET];
    assert_survives(&regpass, &file, key, breakages, assert_active).await;
    fs::write(&file, "two").unwrap();
    regpass.eventually("the new secret", async || status_as(&regpass, "any:two").await == "200").await;
    assert_eq!(status_as(&regpass, "any:one").await, "401", "the old secret");
    testbed.sim.finish();
}
