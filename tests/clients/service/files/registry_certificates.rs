//! The authority of a registry's certificate, and the client certificate for it. The registry here is a second regpass that
//! requires client certificates.

use super::{Breakage, EMPTY, NO_CERTIFICATE, REMOVED, assert_survives, write_listener_files};
use crate::certificates::{CertificateAuthority, write_file};
use crate::process::Daemon;
use crate::service::testbed::{RunningRegpass, Testbed};

#[tokio::test]
async fn broken_registry_certificates_are_survived_and_changed_ones_take_effect() {
    let (server, clients) = (CertificateAuthority::new(), CertificateAuthority::new());
    let upstream = Testbed::start().await;
    let keys = write_listener_files(upstream.home.path(), &server, &clients);
    let registry = upstream.start_regpass(&upstream.config_with_listener_keys(&keys)).await;

    let front = Testbed::start().await;
    let home = front.home.path();
    let ca = write_file(home, "ca.pem", &server.pem());
    let (certificate, key) = clients.issue_files("client", home);
    front.write_config(&format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n[registry.\"tls.test\"]\n\
         alias = \"one\"\nurl = \"https://localhost:{}\"\nca = \"{ca}\"\n\
         client_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n",
        registry.address.port()
    ));
    let regpass = RunningRegpass::from_daemon(Daemon::start("regpass in front", front.command())).await;
    let is_pulled = async || regpass.status("/v2/one/one/team/app/manifests/1").await == "200";
    let assert_active = async |case: &str| assert!(is_pulled().await, "{case}: the old files are active");

    let (ca_key, client_key) = ("registry.\"tls.test\".ca", "registry.\"tls.test\".client_certificate");
    let other_key = clients.issue("client").1;
    let other_key: Breakage<'_> =
        ("another key", Some(other_key.as_bytes()), &["it is not the key of the certificate"]);
    for (file, key, breakages) in [
        ("ca.pem", ca_key, &[NO_CERTIFICATE, EMPTY, REMOVED][..]),
        ("client.pem", client_key, &[NO_CERTIFICATE, REMOVED]),
        ("client-key.pem", client_key, &[NO_CERTIFICATE, other_key, REMOVED]),
    ] {
        assert_survives(&regpass, &home.join(file), key, breakages, assert_active).await;
    }

    // The registry changes to a certificate of another authority, and regpass to that authority.
    let server = CertificateAuthority::new();
    write_listener_files(upstream.home.path(), &server, &clients);
    regpass.eventually("a registry with an untrusted certificate", async || !is_pulled().await).await;
    write_file(home, "ca.pem", &server.pem());
    regpass.eventually("the new authority", is_pulled).await;

    // The registry accepts clients of another authority, and regpass gets a certificate of it.
    let clients = CertificateAuthority::new();
    write_file(upstream.home.path(), "clients-ca.pem", &clients.pem());
    regpass.eventually("a registry that rejects the client certificate", async || !is_pulled().await).await;
    clients.issue_files("client", home);
    regpass.eventually("the new client certificate", is_pulled).await;
    upstream.sim.finish();
}
