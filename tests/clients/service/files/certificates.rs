//! What a listener shows and whom it believes.

use std::fs;
use std::path::{Path, PathBuf};

use super::broken;
use crate::certificates::Authority;
use crate::process::ended;
use crate::service::house::{House, Running, curl};

/// The files of a listener with TLS that wants certificates of its clients.
struct Files {
    folder: PathBuf,
    server: Authority,
    clients: Authority,
}

impl Files {
    fn write(folder: &Path) -> Self {
        let files = Self { folder: folder.to_owned(), server: Authority::new(), clients: Authority::new() };
        let (certificate, key) = files.server.certify("localhost");
        files.put("tls.pem", &certificate);
        files.put("tls-key.pem", &key);
        files.put("clients-ca.pem", &files.clients.pem());
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).expect("a file");
    }

    fn keys(&self) -> String {
        let [certificate, key, authorities] = ["tls.pem", "tls-key.pem", "clients-ca.pem"].map(|name| self.at(name));
        format!(
            "tls = {{ certificate = \"{}\", key = \"{}\" }}\nclients = {{ mtls_ca = \"{}\" }}",
            certificate.display(),
            key.display(),
            authorities.display()
        )
    }

    /// Whether a client of `clients` that believes `server` gets in.
    async fn lets_in(&self, regpass: &Running, server: &Authority, clients: &Authority) -> bool {
        let (certificate, key) = clients.certify("ci");
        for (name, text) in [("shown.pem", certificate), ("shown-key.pem", key), ("believed.pem", server.pem())] {
            self.put(name, &text);
        }
        let mut curl = curl();
        curl.args(["--fail", "--output", "/dev/null", "--cacert"]).arg(self.at("believed.pem"));
        curl.arg("--cert").arg(self.at("shown.pem")).arg("--key").arg(self.at("shown-key.pem"));
        curl.arg(format!("https://localhost:{}/v2/one/team/app/manifests/1", regpass.address.port()));
        ended(&mut curl).await.status.success()
    }
}

#[tokio::test]
async fn a_listener_goes_on_with_the_files_it_had() {
    let house = House::build().await;
    let files = Files::write(house.home.path());
    let regpass = house.start(&house.config_behind(&files.keys(), "")).await;
    let works = async |what: &str| assert!(files.lets_in(&regpass, &files.server, &files.clients).await, "{what}");
    let (others, others_key) = files.server.certify("localhost");
    let garbage: &[u8] = b"not a certificate";
    broken(
        &regpass,
        &files.at("tls.pem"),
        "listener.tls",
        &[("garbage", Some(garbage), &[]), ("gone", None, &[])],
        works,
    )
    .await;
    // The pair is what does not fit: either file may be meant.
    let ways: &[super::Break<'_>] = &[
        ("garbage", Some(garbage), &[]),
        ("another one", Some(others_key.as_bytes()), &["it is not the key of the certificate"]),
        ("gone", None, &[]),
    ];
    broken(&regpass, &files.at("tls-key.pem"), "listener.tls", ways, works).await;
    let ways: &[super::Break<'_>] = &[("garbage", Some(garbage), &[]), ("empty", Some(b""), &[]), ("gone", None, &[])];
    broken(&regpass, &files.at("clients-ca.pem"), "listener.tls", ways, works).await;

    let good = fs::read_to_string(files.at("tls.pem")).unwrap();
    let mark = regpass.daemon.mark();
    files.put("tls.pem", &others);
    let told = ["tls-key.pem", "it is not the key of the certificate"];
    super::told::everywhere(&regpass, mark, "the certificate of another key", "listener.tls", &told).await;
    works("the certificate of another key").await;
    files.put("tls.pem", &good);
    super::told::nowhere(&regpass, "its own certificate").await;
    house.sim.finish();
}

#[tokio::test]
async fn changed_files_of_a_listener_are_in_force_soon() {
    let house = House::build().await;
    let files = Files::write(house.home.path());
    let regpass = house.start(&house.config_behind(&files.keys(), "")).await;
    assert!(files.lets_in(&regpass, &files.server, &files.clients).await);

    let clients = Authority::new();
    files.put("clients-ca.pem", &clients.pem());
    regpass.soon("the new authority of clients", async || files.lets_in(&regpass, &files.server, &clients).await).await;
    assert!(!files.lets_in(&regpass, &files.server, &files.clients).await, "the old one is believed no more");

    let server = Authority::new();
    let (certificate, key) = server.certify("localhost");
    files.put("tls.pem", &certificate);
    files.put("tls-key.pem", &key);
    regpass.soon("the new certificate", async || files.lets_in(&regpass, &server, &clients).await).await;
    house.sim.finish();
}
