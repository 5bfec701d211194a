//! Three registries with the same image and regpass in front of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::certificates::CertificateAuthority;
use crate::image::Image;
use crate::process::{isolated, output};
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;
use crate::stack::LONG_LIFETIME;

/// The image's repository. Its tag `3.12` is an index, `amd64` one of its images, `docker` the same image in Docker's format.
const REPOSITORY: &str = "team/python";

/// The registries, and one regpass for each kind of listener that a client needs. Without a registry in the name, requests
/// are for the registry with tokens.
pub(super) struct Testbed {
    /// Requires tokens.
    token: Registry,
    /// Requires a password, behind TLS.
    password: Registry,
    /// Requires nothing, behind TLS.
    open: Registry,
    http: Regpass,
    https: Regpass,
    /// Plain HTTP, with absolute Locations.
    absolute: Regpass,
    image: Image,
    /// The certificate authority of all servers with TLS.
    ca: String,
    home: TempDir,
}

impl Testbed {
    pub(super) async fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory for the clients");
        let authority = CertificateAuthority::new();
        let ca = crate::certificates::write_file(home.path(), "ca.pem", &authority.pem());
        let (certificate, key) = authority.issue_files("localhost", home.path());
        let tls = json!({ "addr": "127.0.0.1:0", "tls": { "certificate": certificate, "key": key } });
        let (token, password, open) = tokio::join!(
            Registry::start_token(LONG_LIFETIME),
            Registry::start_htpasswd_with_http(&tls),
            Registry::start_open_with_http(&tls),
        );
        let image = Image::build("python");
        for registry in [&token, &password, &open] {
            push(registry, &image).await;
        }

        let config = config(&[&token, &password, &open], &ca);
        let start = async |keys: &str| {
            Regpass::start(&format!("{config}[[listener]]\naddress = '127.0.0.1:0'\n{keys}\n")).await
        };
        let http = start("").await;
        let https = start(&format!("tls = {{ certificate = '{certificate}', key = '{key}' }}")).await;
        let absolute = start("absolute_locations = true").await;
        Self { token, password, open, http, https, absolute, image, ca, home }
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Passes the addresses and the expected content to a driver, and makes its TLS library trust the servers.
    pub(super) fn describe(&self, driver: &mut Command) {
        let file = self.home().join("testbed.json");
        fs::write(&file, self.description().to_string()).expect("testbed.json is written");
        driver.arg(file);
        // Read by OpenSSL, by Python's requests, and by node.
        driver.envs(["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"].map(|name| (name, &self.ca)));
    }

    fn description(&self) -> Value {
        let registry = |registry: &Registry| format!("localhost:{}", registry.address.port());
        let platform = &self.image.platforms[0];
        json!({
            "regpass": {
                "http": self.http.host(),
                "https": self.https.host(),
                "absolute": self.absolute.host(),
            },
            "registries": { "token": registry(&self.token), "password": registry(&self.password), "open": registry(&self.open) },
            "username": USER,
            "password": PASSWORD,
            "repository": REPOSITORY,
            "image": {
                "index": self.image.digest,
                "manifest": platform.manifest,
                "config": platform.config,
                "layer": platform.layer,
            },
        })
    }
}

async fn push(registry: &Registry, image: &Image) {
    let host = format!("docker://localhost:{}/{REPOSITORY}", registry.address.port());
    let home = tempfile::tempdir().expect("a directory for skopeo");
    for (tag, options) in [("3.12", &["--all"][..]), ("amd64", &[]), ("docker", &["--format=v2s2"])] {
        let mut skopeo = isolated("skopeo", home.path());
        skopeo.args(["--override-arch=amd64", "copy", "--dest-tls-verify=false", "--dest-creds"]);
        skopeo.arg(format!("{USER}:{PASSWORD}")).args(options);
        skopeo.arg(format!("oci:{}", image.layout().display())).arg(format!("{host}:{tag}"));
        output(&mut skopeo).await;
    }
}

/// The configuration without listeners. The aliases of the registries are `token`, `password` and `open`.
fn config(registries: &[&Registry; 3], ca: &str) -> String {
    let [token, password, open] = registries;
    let realm = token.tokens.as_ref().map(|tokens| tokens.address).expect("a token service");
    let credential = format!("credential = {{ source = 'password', username = '{USER}', password = '{PASSWORD}' }}");
    format!(
        r#"
        default_registry = 'token.test:5000'
        allow = ['pull', 'push', 'delete']

        [registry."token.test:5000"]
        url = 'http://localhost:{}'
        alias = 'token'
        {credential}
        realm_hosts = ['{realm}']

        [registry."password.test:5000"]
        url = 'https://localhost:{}'
        alias = 'password'
        ca = '{ca}'
        {credential}

        [registry."open.test:5000"]
        url = 'https://localhost:{}'
        alias = 'open'
        ca = '{ca}'
        "#,
        token.address.port(),
        password.address.port(),
        open.address.port(),
    )
}
