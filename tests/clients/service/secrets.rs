//! Secrets in files that are not there yet: no mistake, and told of before anybody misses them.

use std::fs;

use super::house::{House, SOON};
use crate::process::plain;
use crate::registry::PASSWORD;

const APP: &str = "/v2/one/team/app/manifests/1";

#[tokio::test]
async fn a_secret_that_is_not_there_is_told_of_and_waited_for() {
    let house = House::build().await;
    let secret = house.home.path().join("secret");
    let from_file = format!("password = {{ file = \"{}\" }}", secret.display());
    let config = house.config("one", "").replace(&format!("password = \"{PASSWORD}\""), &from_file);
    house.write(&config);
    let told = format!("{} does not exist", secret.display());

    let mut check = plain(env!("CARGO_BIN_EXE_regpass"), house.home.path());
    let checked = check.args(["check", "--config"]).arg(house.file()).output().await.expect("check");
    let (out, err) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert_eq!(checked.status.code(), Some(0), "{err}");
    assert!(out.contains("house.test") && err.contains(&told), "{out}{err}");
    assert!(err.contains("registry.\"house.test\".credential: "), "{err}");

    let running = house.start(&config).await;
    running.says(0, &told).await;
    assert_eq!(running.status(APP).await, "502");
    fs::write(&secret, PASSWORD).expect("the secret");
    let served = async { while running.status(APP).await != "200" {} };
    tokio::time::timeout(SOON, served).await.expect("the secret is in force");
}
