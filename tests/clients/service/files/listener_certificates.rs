//! The certificate of a listener, and the authority of its clients' certificates.

use std::fs;
use std::path::PathBuf;

use super::{Breakage, EMPTY, NO_CERTIFICATE, REMOVED, assert_survives, write_listener_files};
use crate::certificates::{CertificateAuthority, write_file};
use crate::process::unchecked_output;
use crate::service::problem_reports;
use crate::service::testbed::{MANIFEST, RunningRegpass, Testbed, curl};

/// A running regpass with TLS that requires client certificates.
struct TlsListener {
    testbed: Testbed,
    regpass: RunningRegpass,
    server: CertificateAuthority,
    clients: CertificateAuthority,
}

impl TlsListener {
    async fn start() -> Self {
        let testbed = Testbed::start().await;
        let (server, clients) = (CertificateAuthority::new(), CertificateAuthority::new());
        let keys = write_listener_files(testbed.home.path(), &server, &clients);
        let regpass = testbed.start_regpass(&testbed.config_with_listener_keys(&keys)).await;
        Self { testbed, regpass, server, clients }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.testbed.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        write_file(self.testbed.home.path(), name, text)
    }

    /// Whether a client succeeds that trusts `server` and has a certificate of `clients`.
    async fn accepts(&self, server: &CertificateAuthority, clients: &CertificateAuthority) -> bool {
        let (certificate, key) = clients.issue_files("ci", self.testbed.home.path());
        let ca = self.write("trusted.pem", &server.pem());
        let mut curl = curl();
        curl.args(["--fail", "--output", "/dev/null", "--cacert", &ca, "--cert", &certificate, "--key", &key]);
        curl.arg(format!("https://localhost:{}{MANIFEST}", self.regpass.address.port()));
        unchecked_output(&mut curl).await.status.success()
    }
}

#[tokio::test]
async fn broken_certificate_files_leave_the_listener_unchanged() {
    let listener = TlsListener::start().await;
    let assert_active = async |case: &str| {
        assert!(listener.accepts(&listener.server, &listener.clients).await, "{case}: the old files are active");
    };
    let (other_certificate, other_key) = listener.server.issue("localhost");
    let mismatch = "it is not the key of the certificate";
    let other_key: Breakage<'_> = ("another key", Some(other_key.as_bytes()), &[mismatch]);
    for (file, breakages) in [
        ("tls.pem", &[NO_CERTIFICATE, REMOVED][..]),
        ("tls-key.pem", &[NO_CERTIFICATE, other_key, REMOVED]),
        ("clients-ca.pem", &[NO_CERTIFICATE, EMPTY, REMOVED]),
    ] {
        assert_survives(&listener.regpass, &listener.file(file), "listener.tls", breakages, assert_active).await;
    }

    // A certificate of another key is reported as a problem of the key file: regpass cannot know which of the two is
    // wrong.
    let certificate = fs::read_to_string(listener.file("tls.pem")).unwrap();
    let skip = listener.regpass.daemon.log_length();
    listener.write("tls.pem", &other_certificate);
    let (case, words) = ("the certificate of another key", ["tls-key.pem", mismatch]);
    problem_reports::assert_shown(&listener.regpass, skip, case, "listener.tls", &words).await;
    assert_active(case).await;
    listener.write("tls.pem", &certificate);
    problem_reports::assert_cleared(&listener.regpass, "the first certificate").await;
    listener.testbed.sim.finish();
}

#[tokio::test]
async fn changed_certificate_files_take_effect() {
    let listener = TlsListener::start().await;
    let regpass = &listener.regpass;
    assert!(listener.accepts(&listener.server, &listener.clients).await);

    let clients = CertificateAuthority::new();
    listener.write("clients-ca.pem", &clients.pem());
    regpass
        .eventually("another authority of clients", async || listener.accepts(&listener.server, &clients).await)
        .await;
    assert!(!listener.accepts(&listener.server, &listener.clients).await, "a client of the old authority");

    let server = CertificateAuthority::new();
    let (certificate, key) = server.issue("localhost");
    listener.write("tls.pem", &certificate);
    listener.write("tls-key.pem", &key);
    regpass.eventually("another certificate", async || listener.accepts(&server, &clients).await).await;
    listener.testbed.sim.finish();
}
