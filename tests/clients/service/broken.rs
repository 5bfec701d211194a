//! Every way a configuration can be broken leaves the old one in force, and says so wherever somebody looks.

use std::fs;

use tokio::net::TcpListener;

use super::house::{House, Running};
use super::told;

const REFUSED: &str = "the configuration is not taken; the one before stays in force";

#[tokio::test]
async fn the_old_configuration_stays_in_force_and_the_problem_is_told_everywhere() {
    let house = House::build().await;
    let good = house.config("one", "");
    let regpass = house.start(&good).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let garbage = house.home.path().join("garbage.pem");
    fs::write(&garbage, "not a certificate").unwrap();
    let missing = house.home.path().join("missing.pem");
    let breaks: [(&str, Vec<u8>, &str); 10] = [
        ("syntax", b"[[listener]\n".to_vec(), "config.toml:1:"),
        ("unknown key", house.config("one", "colour = \"red\"").into(), "colour"),
        ("bad value", house.config("one", "allow = [\"everything\"]").into(), "allow"),
        ("no text", b"a = \"\xff\"".to_vec(), "UTF-8"),
        ("too large", vec![b'#'; 2 << 20], "1 MiB"),
        ("no such variable", house.config("one", "upload_hosts = []\n[registry.\"x.test\"]\ncredential = { source = \"bearer\", token = { env = \"NOT_SET\" } }").into(), "NOT_SET"),
        ("no such certificate", house.config("one", &format!("ca = \"{}\"", missing.display())).into(), "missing.pem"),
        ("no certificate in it", house.config("one", &format!("ca = \"{}\"", garbage.display())).into(), "garbage.pem"),
        ("an open door", house.config("one", "[[listener]]\naddress = \"0.0.0.0:0\"").into(), "insecure_open"),
        ("a taken address", house.config("one", &format!("[[listener]]\naddress = \"{}\"", taken.local_addr().unwrap())).into(), "cannot listen"),
    ];
    for (what, text, word) in breaks {
        let mark = regpass.daemon.mark();
        fs::write(house.file(), text).unwrap();
        refused(&regpass, mark, what, word).await;
        mend(&house, &regpass, &good).await;
    }
    let mark = regpass.daemon.mark();
    fs::remove_file(house.file()).unwrap();
    refused(&regpass, mark, "no file", "there is no file").await;
    mend(&house, &regpass, &good).await;

    let mark = regpass.daemon.mark();
    fs::remove_file(house.file()).unwrap();
    fs::create_dir(house.file()).unwrap();
    refused(&regpass, mark, "a directory", "no regular file").await;
    fs::remove_dir(house.file()).unwrap();
    mend(&house, &regpass, &good).await;
    house.sim.finish();
}

/// A pipe says what it has to say once: what comes after it is not an empty configuration.
#[tokio::test]
async fn a_configuration_from_a_pipe_is_not_read_as_an_empty_one() {
    let house = House::build().await;
    let pipe = house.file();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = house.config("one", "");
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, text).unwrap())
    };
    let regpass = Running::of(crate::process::Daemon::start("regpass", house.command())).await;
    writer.join().unwrap();
    let mark = regpass.daemon.mark();
    regpass.signal("HUP");
    refused(&regpass, mark, "a pipe", "no regular file").await;
}

async fn refused(regpass: &Running, mark: usize, what: &str, word: &str) {
    told::everywhere(regpass, mark, what, "", &[word]).await;
    regpass.says(mark, REFUSED).await;
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200", "{what}: the old one is in force");
}

async fn mend(house: &House, regpass: &Running, good: &str) {
    let mark = regpass.daemon.mark();
    house.write(good);
    regpass.says(mark, "the new configuration is in force").await;
    told::nowhere(regpass, "mended").await;
}
