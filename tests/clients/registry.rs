//! Debian's `docker-registry`, the real thing, wanting a password or a signed token.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::curl::{Reply, fetch};
use crate::image::Image;
use crate::process::{Daemon, output, plain, private, stdout};
use crate::token_service::{ISSUER, SERVICE, TokenService};

pub(crate) const USER: &str = "u";
pub(crate) const PASSWORD: &str = "not-a-real-secret";
/// The two above with bcrypt, the only hash the registry takes.
pub(crate) const HTPASSWD: &str = "u:$2b$04$.5hdWiOef2WPnB2GnSDN2.86MpkD8eWRJdFHIZw9QjnPqgJC85X3e";

/// In each line of the log about a request of regpass.
pub(crate) const BY_REGPASS: &str = r#""http.request.useragent":"regpass/"#;

/// Who a test says it is when it asks the registry itself.
pub(crate) const DIRECT: &str = "a test without regpass";

/// Every type of manifest that the clients here write.
const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    /// In token mode.
    pub(crate) tokens: Option<TokenService>,
    // Before the directory: the process goes first.
    daemon: Daemon,
    home: TempDir,
}

impl Registry {
    pub(crate) async fn start_htpasswd() -> Self {
        Self::start_htpasswd_at(&json!({ "addr": "127.0.0.1:0" })).await
    }

    /// `http` is the section of that name in the registry's configuration.
    pub(crate) async fn start_htpasswd_at(http: &Value) -> Self {
        let home = tempfile::tempdir().expect("a directory for the registry");
        let file = home.path().join("htpasswd");
        fs::write(&file, HTPASSWD).expect("htpasswd");
        let auth = json!({ "htpasswd": { "realm": "Registry Realm", "path": file } });
        Self::start(home, http, &auth, None).await
    }

    /// `lifetime` is that of every token, as its signed dates and as `expires_in`.
    pub(crate) async fn start_token(lifetime: Duration) -> Self {
        let tokens = TokenService::start(lifetime).await;
        let home = tempfile::tempdir().expect("a directory for the registry");
        let bundle = home.path().join("trusted.pem");
        fs::write(&bundle, &tokens.certificate).expect("certificate");
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
        // JSON is YAML.
        let file = home.path().join("config.yml");
        fs::write(&file, config.to_string()).expect("config");
        let mut command = plain("docker-registry", home.path());
        command.arg("serve").arg(file);
        let daemon = Daemon::start("docker-registry", command);
        let address = daemon.line(listening).await;
        let scheme = if http["tls"].is_object() { "https" } else { "http" };
        Self { address, scheme, tokens, daemon, home }
    }

    /// Puts every platform of `image` there as `name`, with the credential.
    pub(crate) async fn push(&self, image: &Image, name: &str) {
        let mut skopeo = private("skopeo", self.home.path());
        skopeo.args(["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds"]);
        skopeo.arg(format!("{USER}:{PASSWORD}"));
        skopeo.arg(format!("oci:{}", image.layout().display())).arg(self.direct(name));
        output(&mut skopeo).await;
    }

    /// The digest of `name`, pulled from the registry itself with the credential.
    pub(crate) async fn digest(&self, name: &str) -> String {
        let mut skopeo = private("skopeo", self.home.path());
        skopeo.args(["inspect", "--tls-verify=false", "--format={{.Digest}}", "--creds"]);
        skopeo.arg(format!("{USER}:{PASSWORD}")).arg(self.direct(name));
        stdout(&mut skopeo).await.trim().to_owned()
    }

    /// The answer to a GET of `path` in `repository`, from the registry itself with the credential.
    pub(crate) async fn get(&self, repository: &str, path: &str) -> Reply {
        let mut curl = plain("curl", self.home.path());
        curl.args(["-q", "--silent", "--show-error", "--include", "--insecure", "--header", ACCEPT]);
        curl.args(["--user-agent", DIRECT]);
        match &self.tokens {
            Some(tokens) => curl.arg("--oauth2-bearer").arg(tokens.sign(&format!("repository:{repository}:pull"))),
            None => curl.arg("--user").arg(format!("{USER}:{PASSWORD}")),
        };
        fetch(curl.arg(format!("{}://{}/v2/{repository}/{path}", self.scheme, self.address))).await
    }

    /// How many requests of regpass it has refused for want of a credential.
    pub(crate) fn refusals(&self) -> usize {
        self.daemon.count(&[BY_REGPASS, "error authorizing context"])
    }

    pub(crate) fn log(&self) -> &Daemon {
        &self.daemon
    }

    /// Ends it and returns its whole log.
    pub(crate) fn stop(self) -> Vec<String> {
        self.daemon.stop()
    }

    /// One that listens on all addresses goes by the only kind that skopeo takes.
    fn direct(&self, name: &str) -> String {
        let port = self.address.port();
        let host =
            if self.address.ip().is_unspecified() { format!("127.0.0.1:{port}") } else { self.address.to_string() };
        format!("docker://{host}/{name}")
    }
}

/// The address in the line the registry logs once it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["msg"].as_str()?.strip_prefix("listening on ")?.trim_end_matches(", tls").parse().ok()
}
