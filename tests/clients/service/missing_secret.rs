//! A secret file that does not exist yet: not a configuration error, but reported before a request needs it.

use std::fs;

use super::testbed::{MANIFEST, Testbed};
use crate::process::program;
use crate::registry::PASSWORD;

#[tokio::test]
async fn missing_secret_file_is_reported_and_used_once_it_exists() {
    let testbed = Testbed::start().await;
    let secret = testbed.home.path().join("secret");
    let from_file = format!("password = {{ file = \"{}\" }}", secret.display());
    let config = testbed.config("one", "").replace(&format!("password = \"{PASSWORD}\""), &from_file);
    testbed.write_config(&config);
    let message = format!("{} does not exist", secret.display());

    let mut check = program(env!("CARGO_BIN_EXE_regpass"), testbed.home.path());
    let checked = check.args(["check", "--config"]).arg(testbed.config_file()).output().await.expect("check runs");
    let (out, err) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert_eq!(checked.status.code(), Some(0), "{err}");
    assert!(out.contains("sim.test") && err.contains(&message), "{out}{err}");
    assert!(err.contains("registry.\"sim.test\".credential: "), "{err}");

    let running = testbed.start_regpass(&config).await;
    running.wait_for_log(0, &message).await;
    assert_eq!(running.status(MANIFEST).await, "502");
    fs::write(&secret, PASSWORD).expect("the secret is written");
    running.eventually("the secret is used", async || running.status(MANIFEST).await == "200").await;
}
