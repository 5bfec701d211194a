//! Credentials for registries: passwords in files, and docker's configuration file.

use std::fs;
use std::path::Path;

use super::{Breakage, EMPTY, REMOVED_SECRET, assert_survives};
use crate::registry::{PASSWORD, USER};
use crate::service::problem_reports;
use crate::service::testbed::{MANIFEST, Testbed};

const KEY: &str = "registry.\"sim.test\".credential";

/// Docker's configuration file with this password for the registry.
fn docker_config(password: &str) -> String {
    format!("{{\"auths\": {{\"sim.test\": {{\"username\": \"{USER}\", \"password\": \"{password}\"}}}}}}")
}

/// Starts regpass with a credential in `file`, which does not exist yet, then creates, breaks, restores and changes the
/// file. `content` is the file's content with a password.
async fn assert_file_is_followed(
    testbed: &Testbed,
    credential: &str,
    file: &Path,
    breakages: &[Breakage<'_>],
    content: fn(&str) -> String,
) {
    let regpass = testbed.start_regpass(&testbed.config_with_credential(credential)).await;
    let is_pulled = async || regpass.status(MANIFEST).await == "200";
    problem_reports::assert_shown(&regpass, 0, "no file yet", KEY, &["does not exist"]).await;
    assert!(!is_pulled().await, "pulled without a credential");
    fs::write(file, content(PASSWORD)).expect("the file is written");
    problem_reports::assert_cleared(&regpass, "the first file").await;
    assert_survives(&regpass, file, KEY, breakages, async |case| assert!(is_pulled().await, "{case}")).await;

    testbed.registry.add_user(USER, "another one");
    fs::write(file, content("another one")).expect("the file is written");
    testbed.sim.ledger().take();
    // Another credential needs another token.
    let tokens = || testbed.sim.ledger().count("token", |entry| entry.status.is_some_and(|status| status == 200));
    regpass.eventually("the new credential", async || is_pulled().await && tokens() > 0).await;
}

#[tokio::test]
async fn broken_password_file_is_survived_and_a_changed_one_takes_effect() {
    let testbed = Testbed::start().await;
    let file = testbed.home.path().join("password");
    let credential =
        format!("{{ source = \"password\", username = \"{USER}\", password = {{ file = \"{}\" }} }}", file.display());
    let large = vec![b'x'; (1 << 20) + 1];
    let breakages: &[Breakage<'_>] = &[
        ("empty", EMPTY.1, &["is empty"]),
        ("not UTF-8", Some(b"\xff\xff"), &["UTF-8"]),
        ("too large", Some(&large), &["is larger than"]),
        REMOVED_SECRET,
    ];
    assert_file_is_followed(&testbed, &credential, &file, breakages, ToOwned::to_owned).await;
}

#[tokio::test]
async fn broken_docker_file_is_survived_and_a_changed_one_takes_effect() {
    let testbed = Testbed::start().await;
    let file = testbed.home.path().join("docker.json");
    let credential = format!("{{ source = \"docker\", file = \"{}\" }}", file.display());
    let breakages: &[Breakage<'_>] = &[
        ("truncated", Some(b"{\"auths\": {"), &["not well-formed JSON"]),
        ("empty", EMPTY.1, &["the file is empty"]),
        REMOVED_SECRET,
    ];
    assert_file_is_followed(&testbed, &credential, &file, breakages, docker_config).await;
}
