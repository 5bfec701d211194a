//! The registries that the page talks of, each Debian's `docker-registry` with one image and one login.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::image::Image;
use crate::process::{output, plain};
use crate::registry::{DIRECT, Registry};

/// The registry of the page's configuration file.
pub(super) const CORP: &str = "registry.corp.example:8443";

/// A registry of the page, and the one image that is there.
pub(super) struct Remote {
    /// As regpass calls it.
    pub(super) name: &'static str,
    pub(super) repository: &'static str,
    pub(super) tag: &'static str,
    pub(super) image: Image,
    pub(super) registry: Registry,
    /// Lines of the registry's log from before regpass.
    prologue: usize,
}

impl Remote {
    /// Docker Hub, GHCR and the registry of the page's configuration file, which has a certificate below `home`.
    pub(super) async fn all(home: &Path) -> [Self; 3] {
        let key = KeyPair::generate().expect("a key");
        let host = CORP.split(':').next().unwrap_or_default();
        let certificate = CertificateParams::new([host.to_owned()]).expect("a name").self_signed(&key);
        let (pem, file) = (home.join("corp.pem"), home.join("corp.key"));
        fs::write(&pem, certificate.expect("a certificate").pem()).expect("corp.pem");
        fs::copy(&pem, "/etc/ssl/corp.pem").expect("/etc/ssl/corp.pem");
        fs::write(&file, key.serialize_pem()).expect("corp.key");
        let tls = json!({ "addr": "127.0.0.1:8443", "tls": { "certificate": pem, "key": file } });
        [
            Self::fill("docker.io", "library/python", "3.12", Registry::start_htpasswd().await).await,
            Self::fill("ghcr.io", "toddysm/python", "3.10", Registry::start_htpasswd().await).await,
            Self::fill(CORP, "team/app", "1", Registry::start_htpasswd_at(&tls).await).await,
        ]
    }

    async fn fill(name: &'static str, repository: &'static str, tag: &'static str, registry: Registry) -> Self {
        let image = Image::build(repository);
        let target = format!("{repository}:{tag}");
        registry.push(&image, &target).await;
        assert_eq!(registry.digest(&target).await, image.digest, "pulled directly");
        Self { name, repository, tag, image, registry, prologue: 0 }
    }

    /// From here on it is for regpass alone. A last request of the test shows in the log when all others have.
    pub(super) async fn opens(&mut self) {
        const LAST: &str = "end of the prologue";
        let scheme = if self.name == CORP { "https" } else { "http" };
        let mut curl = plain("curl", Path::new("/"));
        curl.args(["-q", "--silent", "--insecure", "--user-agent", LAST]);
        output(curl.arg(format!("{scheme}://{}/v2/", self.registry.address))).await;
        self.registry.log().line(|line| line.contains(LAST).then_some(())).await;
        self.prologue = self.registry.log().mark();
    }

    /// No request came from anybody but regpass, and from who looks what regpass has done.
    pub(super) fn close(self) {
        for line in self.registry.stop().split_off(self.prologue) {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            let agent = line["http.request.useragent"].as_str();
            let known = |agent: &str| agent.starts_with("regpass/") || agent == DIRECT;
            assert!(agent.is_none_or(known), "{} was reached by {line}", self.name);
        }
    }

    /// Waits until its log, from `mark` on, has a request of regpass in its repository that it answered with `status`.
    pub(super) async fn answered(&self, mark: usize, status: u16) {
        let path = format!("/v2/{}/", self.repository);
        let answered = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let to_regpass = line["http.request.useragent"].as_str()?.starts_with("regpass/");
            let here = line["http.request.uri"].as_str()?.starts_with(&path);
            (to_regpass && here && line["http.response.status"] == status).then_some(())
        };
        self.registry.log().line_after(mark, answered).await;
    }
}
