//! Every kind of invalid configuration leaves the old one active and is reported in every place.

use std::fs;

use tokio::net::TcpListener;

use super::problem_reports;
use super::testbed::{MANIFEST, REJECTED, RunningRegpass, Testbed};

#[tokio::test]
async fn invalid_configuration_is_reported_and_the_old_one_stays_active() {
    let testbed = Testbed::start().await;
    let good = testbed.config("one", "");
    let regpass = testbed.start_regpass(&good).await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let garbage = testbed.home.path().join("garbage.pem");
    fs::write(&garbage, "not a certificate").unwrap();
    let missing = testbed.home.path().join("missing.pem");
    let with = |more: &str| testbed.config("one", more).into_bytes();
    let unset_variable = "upload_hosts = []\n[registry.\"x.test\"]\n\
                          credential = { source = \"bearer\", token = { env = \"NOT_SET\" } }";
    let used_address = format!("[[listener]]\naddress = \"{}\"", other.local_addr().unwrap());
    for (case, content, word) in [
        ("syntax error", b"[[listener]\n".to_vec(), "config.toml:1:"),
        ("unknown key", with("colour = \"red\""), "colour"),
        ("invalid value", with("allow = [\"everything\"]"), "allow"),
        ("not UTF-8", b"a = \"\xff\"".to_vec(), "UTF-8"),
        ("too large", vec![b'#'; 2 << 20], "1 MiB"),
        ("unset variable", with(unset_variable), "NOT_SET"),
        ("missing certificate", with(&format!("ca = \"{}\"", missing.display())), "missing.pem"),
        ("invalid certificate", with(&format!("ca = \"{}\"", garbage.display())), "garbage.pem"),
        ("open listener", with("[[listener]]\naddress = \"0.0.0.0:0\""), "insecure_open"),
        ("address in use", with(&used_address), "cannot listen"),
    ] {
        let skip = regpass.daemon.log_length();
        fs::write(testbed.config_file(), content).unwrap();
        assert_rejected(&regpass, skip, case, word).await;
        restore(&testbed, &regpass, &good).await;
    }
    let skip = regpass.daemon.log_length();
    fs::remove_file(testbed.config_file()).unwrap();
    assert_rejected(&regpass, skip, "no file", "does not exist").await;
    restore(&testbed, &regpass, &good).await;

    let skip = regpass.daemon.log_length();
    fs::remove_file(testbed.config_file()).unwrap();
    fs::create_dir(testbed.config_file()).unwrap();
    assert_rejected(&regpass, skip, "a directory", "not a regular file").await;
    fs::remove_dir(testbed.config_file()).unwrap();
    restore(&testbed, &regpass, &good).await;
    testbed.sim.finish();
}

/// A pipe can be read only once. A reload must not take the empty rest for an empty configuration.
#[tokio::test]
async fn reload_from_a_pipe_is_rejected() {
    let testbed = Testbed::start().await;
    let pipe = testbed.config_file();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = testbed.config("one", "");
    let writer = std::thread::spawn(move || fs::write(pipe, text).unwrap());
    let regpass = testbed.start_regpass_with_file().await;
    writer.join().unwrap();
    let skip = regpass.daemon.log_length();
    regpass.daemon.signal("HUP");
    assert_rejected(&regpass, skip, "a pipe", "not a regular file").await;
}

async fn assert_rejected(regpass: &RunningRegpass, skip: usize, case: &str, word: &str) {
    problem_reports::assert_shown(regpass, skip, case, "", &[word]).await;
    regpass.wait_for_log(skip, REJECTED).await;
    assert_eq!(regpass.status(MANIFEST).await, "200", "{case}: the old configuration is active");
}

async fn restore(testbed: &Testbed, regpass: &RunningRegpass, good: &str) {
    testbed.reload(regpass, good).await;
    problem_reports::assert_cleared(regpass, "restored").await;
}
