//! Logins at registries: secrets in files, and docker's configuration.

use std::fs;
use std::path::Path;

use super::broken;
use crate::registry::{PASSWORD, USER};
use crate::service::house::{House, Running};
use crate::service::told;

const KEY: &str = "registry.\"house.test\".credential";

fn docker(password: &str) -> String {
    format!("{{\"auths\": {{\"house.test\": {{\"username\": \"{USER}\", \"password\": \"{password}\"}}}}}}")
}

async fn pulls(regpass: &Running, what: &str) {
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200", "{what}");
}

/// Breaks the file, then puts in the login after it: it is in force soon.
async fn broken_then_changed(
    house: &House,
    login: &str,
    file: &Path,
    ways: &[super::Break<'_>],
    of: fn(&str) -> String,
) {
    let regpass = house.start(&house.config_with(login, "")).await;
    told::everywhere(&regpass, 0, "never there", KEY, &["does not exist"]).await;
    assert_ne!(regpass.status("/v2/one/team/app/manifests/1").await, "200", "no login yet");
    fs::write(file, of(PASSWORD)).expect("a file");
    told::nowhere(&regpass, "there at last").await;
    broken(&regpass, file, KEY, ways, async |what| pulls(&regpass, what).await).await;

    house.registry.user(USER, "another one");
    fs::write(file, of("another one")).expect("a file");
    house.sim.ledger().take();
    // Another login has another token.
    let asked = || house.sim.ledger().count("token", |entry| entry.status.is_some_and(|status| status == 200));
    regpass
        .soon("the new login", async || regpass.status("/v2/one/team/app/manifests/1").await == "200" && asked() > 0)
        .await;
}

#[tokio::test]
async fn a_password_stays_in_force_and_a_new_one_is_soon() {
    let house = House::build().await;
    let file = house.home.path().join("password");
    let login =
        format!("{{ source = \"password\", username = \"{USER}\", password = {{ file = \"{}\" }} }}", file.display());
    let large = vec![b'x'; (1 << 20) + 1];
    let ways: &[super::Break<'_>] = &[
        ("empty", Some(b""), &["is empty"]),
        ("no text", Some(b"\xff\xfe"), &["UTF-8"]),
        ("too large", Some(&large), &["is larger than"]),
        ("gone", None, &["does not exist"]),
    ];
    broken_then_changed(&house, &login, &file, ways, ToOwned::to_owned).await;
}

#[tokio::test]
async fn docker_s_file_stays_in_force_and_a_new_one_is_soon() {
    let house = House::build().await;
    let file = house.home.path().join("docker.json");
    let login = format!("{{ source = \"docker\", file = \"{}\" }}", file.display());
    let ways: &[super::Break<'_>] = &[
        ("half of it", Some(b"{\"auths\": {"), &["not well-formed JSON"]),
        ("empty", Some(b""), &["it is empty"]),
        ("gone", None, &["does not exist"]),
    ];
    broken_then_changed(&house, &login, &file, ways, docker).await;
}
