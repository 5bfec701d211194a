//! What registries are believed by, and what they are shown. The registry here is a regpass that wants certificates.

use std::fs;
use std::path::Path;

use super::broken;
use crate::certificates::Authority;
use crate::process::Daemon;
use crate::service::house::{House, Running};

/// A registry with TLS that takes who shows a certificate of `clients`.
async fn registry(house: &House, server: &Authority, clients: &Authority) -> Running {
    let home = house.home.path();
    let (certificate, key) = server.certify("localhost");
    let files = [("tls.pem", certificate), ("tls-key.pem", key), ("clients-ca.pem", clients.pem())];
    let [certificate, key, authorities] = files.map(|(name, text)| put(home, name, &text));
    let keys = format!(
        "tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\nclients = {{ mtls_ca = \"{authorities}\" }}"
    );
    house.start(&house.config_behind(&keys, "")).await
}

fn put(folder: &Path, name: &str, text: &str) -> String {
    fs::write(folder.join(name), text).expect("a file");
    folder.join(name).display().to_string()
}

#[tokio::test]
async fn a_registry_s_files_stay_in_force_and_new_ones_are_soon() {
    let (house, server, clients) = (House::build().await, Authority::new(), Authority::new());
    let behind = registry(&house, &server, &clients).await;
    let front = House::build().await;
    let home = front.home.path();
    let (certificate, key) = clients.certify("front");
    let files = [("ca.pem", server.pem()), ("shown.pem", certificate), ("shown-key.pem", key)];
    let [authority, certificate, key] = files.map(|(name, text)| put(home, name, &text));
    front.write(&format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n[registry.\"tls.test\"]\n\
         alias = \"one\"\nurl = \"https://localhost:{}\"\nca = \"{authority}\"\n\
         client_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n",
        behind.address.port()
    ));
    let regpass = Running::of(Daemon::start("regpass in front", front.command())).await;
    let pulls = async || regpass.status("/v2/one/one/team/app/manifests/1").await;
    let works = async |what: &str| assert_eq!(pulls().await, "200", "{what}");
    let garbage: &[u8] = b"not a certificate";
    let (ca, shown) = ("registry.\"tls.test\".ca", "registry.\"tls.test\".client_certificate");
    let others_key = clients.certify("front").1;
    let ways: &[super::Break<'_>] = &[("garbage", Some(garbage), &[]), ("empty", Some(b""), &[]), ("gone", None, &[])];
    broken(&regpass, &home.join("ca.pem"), ca, ways, works).await;
    let ways: &[super::Break<'_>] = &[("garbage", Some(garbage), &[]), ("gone", None, &[])];
    broken(&regpass, &home.join("shown.pem"), shown, ways, works).await;
    let ways: &[super::Break<'_>] = &[
        ("garbage", Some(garbage), &[]),
        ("another one", Some(others_key.as_bytes()), &["it is not the key of the certificate"]),
        ("gone", None, &[]),
    ];
    broken(&regpass, &home.join("shown-key.pem"), shown, ways, works).await;

    // The registry gets a certificate of another authority, then believes other clients; each is met by a new file.
    let other = Authority::new();
    let (certificate, key) = other.certify("localhost");
    put(house.home.path(), "tls.pem", &certificate);
    put(house.home.path(), "tls-key.pem", &key);
    regpass.soon("a registry nobody believes", async || pulls().await != "200").await;
    put(home, "ca.pem", &other.pem());
    regpass.soon("the new ca", async || pulls().await == "200").await;

    let clients = Authority::new();
    put(house.home.path(), "clients-ca.pem", &clients.pem());
    regpass.soon("a registry that believes nobody", async || pulls().await != "200").await;
    let (certificate, key) = clients.certify("front");
    put(home, "shown.pem", &certificate);
    put(home, "shown-key.pem", &key);
    regpass.soon("the new client certificate", async || pulls().await == "200").await;
    house.sim.finish();
}
