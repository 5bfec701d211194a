//! The registries that README.md names, each Debian's `docker-registry` with one image and one credential.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::image::{Image, Platform};
use crate::process::{output, program};
use crate::registry::{Registry, TEST_USER_AGENT};

/// The registry in the page's configuration file.
pub(super) const CORP: &str = "registry.corp.example:8443";

pub(super) struct ReadmeRegistry {
    /// Its name in the configuration of regpass.
    pub(super) name: &'static str,
    /// The repository of its only image.
    pub(super) repository: &'static str,
    pub(super) tag: &'static str,
    pub(super) image: Image,
    pub(super) registry: Registry,
    /// Number of lines in the registry's log before regpass started.
    setup_lines: usize,
}

impl ReadmeRegistry {
    /// Starts Docker Hub, GHCR and [`CORP`], whose certificate is written below `home`.
    pub(super) async fn start_all(home: &Path) -> [Self; 3] {
        let key = KeyPair::generate().expect("a key");
        let host = CORP.split(':').next().unwrap_or_default();
        let certificate = CertificateParams::new([host.to_owned()]).expect("a valid name").self_signed(&key);
        let (pem, file) = (home.join("corp.pem"), home.join("corp.key"));
        fs::write(&pem, certificate.expect("a certificate").pem()).expect("corp.pem is written");
        fs::copy(&pem, "/etc/ssl/corp.pem").expect("/etc/ssl/corp.pem is written");
        fs::write(&file, key.serialize_pem()).expect("corp.key is written");
        let tls = json!({ "addr": "127.0.0.1:8443", "tls": { "certificate": pem, "key": file } });
        [
            Self::with_image("docker.io", "library/python", "3.12", Registry::start_htpasswd().await).await,
            Self::with_image("ghcr.io", "toddysm/python", "3.10", Registry::start_htpasswd().await).await,
            Self::with_image(CORP, "team/app", "1", Registry::start_htpasswd_with_http(&tls).await).await,
        ]
    }

    async fn with_image(name: &'static str, repository: &'static str, tag: &'static str, registry: Registry) -> Self {
        let image = Image::build(repository);
        let target = format!("{repository}:{tag}");
        registry.push(&image, &target).await;
        assert_eq!(registry.digest(&target).await, image.digest, "{target} in the registry itself");
        Self { name, repository, tag, image, registry, setup_lines: 0 }
    }

    /// Marks the end of the setup: later requests must come from regpass. The log is complete once it contains a last
    /// request of the test.
    pub(super) async fn end_setup(&mut self) {
        const LAST_REQUEST: &str = "last request of the setup";
        let scheme = if self.name == CORP { "https" } else { "http" };
        let mut curl = program("curl", Path::new("/"));
        curl.args(["-q", "--silent", "--insecure", "--user-agent", LAST_REQUEST]);
        output(curl.arg(format!("{scheme}://{}/v2/", self.registry.address))).await;
        self.registry.daemon().wait_for_text(LAST_REQUEST).await;
        self.setup_lines = self.registry.daemon().log_length();
    }

    /// Stops the registry and checks that all requests came from regpass or from a check of this test.
    pub(super) fn finish(self) {
        for line in self.registry.stop().split_off(self.setup_lines) {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            let agent = line["http.request.useragent"].as_str();
            let is_expected = |agent: &str| agent.starts_with("regpass/") || agent == TEST_USER_AGENT;
            assert!(agent.is_none_or(is_expected), "a client reached {} without regpass: {line}", self.name);
        }
    }

    /// Waits until the log, after its first `skip` lines, has a request from regpass for the repository that was answered
    /// with `status`.
    pub(super) async fn wait_for_request(&self, skip: usize, status: u16) {
        let path = format!("/v2/{}/", self.repository);
        let is_request = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let is_from_regpass = line["http.request.useragent"].as_str()?.starts_with("regpass/");
            let is_for_repository = line["http.request.uri"].as_str()?.starts_with(&path);
            (is_from_regpass && is_for_repository && line["http.response.status"] == status).then_some(())
        };
        self.registry.daemon().wait_for_line_after(skip, is_request).await;
    }

    /// The platform of the image that engines pull by default on this machine.
    pub(super) fn native_platform(&self) -> &Platform {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let mut platforms = self.image.platforms.iter();
        platforms.find(|platform| platform.architecture == architecture).expect("the machine's platform")
    }
}
