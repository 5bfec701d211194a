//! Lists of users and secrets of clients.

use std::fs;
use std::path::Path;

use super::broken;
use crate::process::stdout;
use crate::service::house::{House, Running, curl};
use crate::service::told;

fn htpasswd(file: &Path, user: &str, password: &str) {
    let hash = bcrypt::hash_with_salt(password, 4, [3; 16]).expect("a hash").to_string();
    fs::write(file, format!("{user}:{hash}\n")).expect("htpasswd");
}

/// The status of a request with this login.
async fn as_client(regpass: &Running, login: &str) -> String {
    let mut curl = curl();
    curl.args(["--output", "/dev/null", "--write-out", "%{http_code}", "--user", login]);
    stdout(curl.arg(format!("http://{}/v2/one/team/app/manifests/1", regpass.address))).await
}

#[tokio::test]
async fn a_list_of_users_stays_in_force_and_a_new_one_is_soon() {
    let house = House::build().await;
    let file = house.home.path().join("htpasswd");
    htpasswd(&file, "alice", "one");
    let keys = format!("clients = {{ htpasswd = \"{}\" }}", file.display());
    let regpass = house.start(&house.config_behind(&keys, "")).await;
    let works = async |what: &str| assert_eq!(as_client(&regpass, "alice:one").await, "200", "{what}");
    let key = "listener.clients.htpasswd";
    let ways: &[super::Break<'_>] = &[
        ("a bad line", Some(b"alice"), &["line 1: there is no colon"]),
        ("another hash", Some(b"alice:{SHA}not-a-real-hash="), &["not hashed with bcrypt"]),
        ("empty", Some(b""), &["names no user"]),
        ("gone", None, &["does not exist"]),
    ];
    broken(&regpass, &file, key, ways, works).await;
    htpasswd(&file, "alice", "two");
    regpass.soon("alice's new password", async || as_client(&regpass, "alice:two").await == "200").await;
    assert_eq!(as_client(&regpass, "alice:one").await, "401");
    house.sim.finish();
}

/// A configuration that cannot be put in force for its sake waits for it.
#[tokio::test]
async fn a_new_list_that_is_broken_is_taken_when_it_is_mended() {
    let house = House::build().await;
    let regpass = house.start(&house.config("one", "")).await;
    let file = house.home.path().join("htpasswd");
    fs::write(&file, "nonsense").unwrap();
    let mark = regpass.daemon.mark();
    house.write(&house.config_behind(&format!("clients = {{ htpasswd = \"{}\" }}", file.display()), ""));
    told::everywhere(&regpass, mark, "a broken list", "listener.clients.htpasswd", &["line 1"]).await;
    assert_eq!(as_client(&regpass, "alice:one").await, "200", "nobody has to log in yet");
    htpasswd(&file, "alice", "one");
    told::nowhere(&regpass, "a mended list").await;
    assert_eq!(
        (as_client(&regpass, "alice:one").await, as_client(&regpass, "alice:two").await),
        ("200".into(), "401".into())
    );
    house.sim.finish();
}

#[tokio::test]
async fn a_secret_of_clients_stays_in_force_and_a_new_one_is_soon() {
    let house = House::build().await;
    let file = house.home.path().join("bearer");
    let key = "listener.clients.bearer";
    let keys = format!("clients = {{ bearer = {{ file = \"{}\" }} }}", file.display());
    let regpass = house.start(&house.config_behind(&keys, "")).await;
    told::everywhere(&regpass, 0, "never there", key, &["does not exist"]).await;
    assert_eq!(as_client(&regpass, "any:one").await, "503");
    fs::write(&file, "one\n").unwrap();
    told::nowhere(&regpass, "there at last").await;

    let works = async |what: &str| assert_eq!(as_client(&regpass, "any:one").await, "200", "{what}");
    let ways: &[super::Break<'_>] = &[
        ("empty", Some(b"\n"), &["is empty"]),
        ("no text", Some(b"\xff"), &["UTF-8"]),
        ("gone", None, &["does not exist"]),
    ];
    broken(&regpass, &file, key, ways, works).await;
    fs::write(&file, "two").unwrap();
    regpass.soon("the new secret", async || as_client(&regpass, "any:two").await == "200").await;
    assert_eq!(as_client(&regpass, "any:one").await, "401");
    house.sim.finish();
}
