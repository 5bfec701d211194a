//! Debian's `docker-registry`, which requires either a password or a signed token.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::curl::{Reply, curl, fetch};
use crate::image::Image;
use crate::process::{Daemon, isolated, output, program, stdout};
use crate::token_service::{ISSUER, SERVICE, TokenService};

pub(crate) const USER: &str = "u";
pub(crate) const PASSWORD: &str = "not-a-real-secret";
/// [`USER`] and [`PASSWORD`] as a line of htpasswd, with bcrypt: the registry accepts no other hash.
pub(crate) const HTPASSWD: &str = "u:$2b$04$.5hdWiOef2WPnB2GnSDN2.86MpkD8eWRJdFHIZw9QjnPqgJC85X3e";

/// Part of every line of the registry's log that is about a request from regpass.
pub(crate) const BY_REGPASS: &str = r#""http.request.useragent":"regpass/"#;

/// The user agent of a test's own requests to the registry.
pub(crate) const TEST_USER_AGENT: &str = "a test without regpass";

/// All media types of manifests that the clients write.
const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    /// The token service, if the registry requires tokens.
    pub(crate) tokens: Option<TokenService>,
    // Declared before `home`, so that the process is killed before its directory is removed.
    daemon: Daemon,
    home: TempDir,
}

impl Registry {
    /// Starts a registry that requires a password.
    pub(crate) async fn start_htpasswd() -> Self {
        Self::start_htpasswd_with_http(&json!({ "addr": "127.0.0.1:0" })).await
    }

    /// Like [`start_htpasswd`](Self::start_htpasswd), with another section `http` in the registry's configuration.
    pub(crate) async fn start_htpasswd_with_http(http: &Value) -> Self {
        let home = tempfile::tempdir().expect("a directory for the registry");
        let file = home.path().join("htpasswd");
        fs::write(&file, HTPASSWD).expect("the htpasswd file is written");
        let auth = json!({ "htpasswd": { "realm": "Registry Realm", "path": file } });
        Self::start(home, http, &auth, None).await
    }

    /// Starts a registry that requires no credential, with this section `http` in its configuration.
    pub(crate) async fn start_open_with_http(http: &Value) -> Self {
        let home = tempfile::tempdir().expect("a directory for the registry");
        Self::start(home, http, &Value::Null, None).await
    }

    /// Starts a registry that requires tokens. `lifetime` sets each token's signed dates and `expires_in`.
    pub(crate) async fn start_token(lifetime: Duration) -> Self {
        let tokens = TokenService::start(lifetime).await;
        let home = tempfile::tempdir().expect("a directory for the registry");
        let bundle = home.path().join("trusted.pem");
        fs::write(&bundle, &tokens.certificate).expect("the certificate is written");
        let auth = json!({ "token": {
            "realm": format!("http://{}/token", tokens.address),
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": bundle,
        } });
        Self::start(home, &json!({ "addr": "127.0.0.1:0" }), &auth, Some(tokens)).await
    }

    async fn start(home: TempDir, http: &Value, auth: &Value, tokens: Option<TokenService>) -> Self {
        let config = json!({
            "version": "0.1",
            "log": { "formatter": "json", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": home.path().join("data") }, "delete": { "enabled": true } },
            "http": http,
            "auth": auth,
        });
        // JSON is valid YAML.
        let file = home.path().join("config.yml");
        fs::write(&file, config.to_string()).expect("config.yml is written");
        let mut command = program("docker-registry", home.path());
        command.arg("serve").arg(file);
        let daemon = Daemon::start("docker-registry", command);
        let address = daemon.wait_for_line(logged_address).await;
        let scheme = if http["tls"].is_object() { "https" } else { "http" };
        Self { address, scheme, tokens, daemon, home }
    }

    /// Pushes all platforms of `image` as `name`, without regpass.
    pub(crate) async fn push(&self, image: &Image, name: &str) {
        let mut skopeo = isolated("skopeo", self.home.path());
        skopeo.args(["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds"]);
        skopeo.arg(format!("{USER}:{PASSWORD}"));
        skopeo.arg(format!("oci:{}", image.layout().display())).arg(self.image_url(name));
        output(&mut skopeo).await;
    }

    /// The digest of the image `name`, read without regpass.
    pub(crate) async fn digest(&self, name: &str) -> String {
        let mut skopeo = isolated("skopeo", self.home.path());
        skopeo.args(["inspect", "--tls-verify=false", "--format={{.Digest}}", "--creds"]);
        skopeo.arg(format!("{USER}:{PASSWORD}")).arg(self.image_url(name));
        stdout(&mut skopeo).await.trim().to_owned()
    }

    /// The response to a GET of `path` in `repository`, without regpass.
    pub(crate) async fn get(&self, repository: &str, path: &str) -> Reply {
        let mut curl = curl(self.home.path());
        curl.args(["--insecure", "--header", ACCEPT, "--user-agent", TEST_USER_AGENT]);
        match &self.tokens {
            Some(tokens) => curl.arg("--oauth2-bearer").arg(tokens.sign(&format!("repository:{repository}:pull"))),
            None => curl.arg("--user").arg(format!("{USER}:{PASSWORD}")),
        };
        fetch(curl.arg(format!("{}://{}/v2/{repository}/{path}", self.scheme, self.address))).await
    }

    /// The number of requests from regpass that the registry rejected because they had no valid credential.
    pub(crate) fn unauthorized_requests(&self) -> usize {
        self.daemon.count_lines(&[BY_REGPASS, "error authorizing context"])
    }

    /// The registry's process, with its log.
    pub(crate) fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Kills the registry and returns its whole log.
    pub(crate) fn stop(self) -> Vec<String> {
        self.daemon.stop()
    }

    /// `name` as skopeo's argument. A registry that listens on all addresses is reached by IPv4: skopeo accepts no IPv6 address.
    fn image_url(&self, name: &str) -> String {
        let port = self.address.port();
        let host =
            if self.address.ip().is_unspecified() { format!("127.0.0.1:{port}") } else { self.address.to_string() };
        format!("docker://{host}/{name}")
    }
}

/// The address in the line that the registry logs once it listens.
fn logged_address(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["msg"].as_str()?.strip_prefix("listening on ")?.trim_end_matches(", tls").parse().ok()
}
