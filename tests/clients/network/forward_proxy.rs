//! A registry that is reachable only through a proxy, has a certificate of a private authority, and may require a client
//! certificate.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::connect_proxy::{CREDENTIAL, ConnectProxy, PASSWORD_FORMS};
use crate::certificates::{CertificateAuthority, write_file};
use crate::curl::{curl, fetch};
use crate::image::Image;
use crate::process::{isolated, output, program, stdout, unchecked_output};
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;

const HOST: &str = "registry.corp.test";

/// The registry, the proxy that connects to it, and the files of their certificate authority.
struct CorporateNetwork {
    registry: Registry,
    proxy: ConnectProxy,
    authority: CertificateAuthority,
    /// The authority's own certificate.
    ca_file: String,
    files: TempDir,
}

impl CorporateNetwork {
    /// With `requires_client_certificate`, the registry accepts only clients with a certificate of the authority.
    async fn start(requires_client_certificate: bool) -> Self {
        let files = TempDir::new().expect("a directory");
        let authority = CertificateAuthority::new();
        let ca_file = write_file(files.path(), "ca.pem", &authority.pem());
        let (certificate, key) = authority.issue_files(HOST, files.path());
        let mut tls = json!({ "certificate": certificate, "key": key });
        if requires_client_certificate {
            tls["clientcas"] = json!([ca_file]);
        }
        let registry = Registry::start_htpasswd_with_http(&json!({ "addr": "127.0.0.1:0", "tls": tls })).await;
        let proxy = ConnectProxy::start(HOST, registry.address).await;
        Self { registry, proxy, authority, ca_file, files }
    }

    fn home(&self) -> &Path {
        self.files.path()
    }
}

/// A configuration with these additional keys for the registry.
fn config(registry_keys: &str) -> String {
    format!(
        r#"
        default_registry = "{HOST}"
        allow = ["pull", "push"]
        [[listener]]
        address = "127.0.0.1:0"
        [admin]
        address = "127.0.0.1:0"
        [registry."{HOST}"]
        credential = {{ source = "password", username = "{USER}", password = "{PASSWORD}" }}
        {registry_keys}
        "#
    )
}

/// Lists the tags through regpass and returns status and body. Checks that neither the body nor any page of the admin
/// listener contains the proxy's password.
async fn list_tags(regpass: &Regpass, home: &Path) -> (u16, String) {
    let reply = fetch(curl(home).arg(regpass.url("/v2/team/app/tags/list"))).await;
    let body = reply.text();
    let admin = regpass.admin_address().await;
    let mut pages = body.clone();
    for path in ["", "status.json", "readyz", "metrics"] {
        pages += &stdout(curl(home).arg(format!("http://{admin}/{path}"))).await;
    }
    assert_no_proxy_password(&pages);
    (reply.status, body)
}

#[track_caller]
fn assert_no_proxy_password(text: &str) {
    for form in PASSWORD_FORMS {
        assert!(!text.contains(form), "contains the proxy's password: {text}");
    }
}

#[tokio::test]
async fn images_are_copied_through_a_proxy_with_credential_to_a_registry_that_requires_a_client_certificate() {
    let network = CorporateNetwork::start(true).await;
    let (home, ca) = (network.home(), &network.ca_file);
    let (certificate, key) = network.authority.issue_files("regpass", home);
    let keys = format!("ca = \"{ca}\"\nclient_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}");
    let regpass = Regpass::start_with_env(&config(&keys), &[("HTTPS_PROXY", &network.proxy.url())]).await;
    let image = Image::build("app");
    let name = format!("docker://{}", regpass.image("team/app:1"));
    let source = format!("oci:{}", image.layout().display());
    let push = ["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", &source, &name];
    output(isolated("skopeo", home).args(push)).await;
    let copy = format!("dir:{}", home.join("copy").display());
    output(isolated("skopeo", home).args(["copy", "--all", "--src-tls-verify=false", &name, &copy])).await;
    let (status, body) = list_tags(&regpass, home).await;
    assert_eq!((status, body.contains("\"1\"")), (200, true), "{body}");
    let targets = network.proxy.take_targets();
    assert!(!targets.is_empty() && targets.iter().all(|target| *target == format!("{HOST}:443")), "{targets:?}");
    assert_no_proxy_password(&regpass.stop().join("\n"));

    // Without a client certificate the registry rejects the handshake, and the error names the missing key.
    let keys = format!("ca = \"{ca}\"");
    let regpass = Regpass::start_with_env(&config(&keys), &[("HTTPS_PROXY", &network.proxy.url())]).await;
    let (status, body) = list_tags(&regpass, home).await;
    assert_eq!((status, body.contains("`client_certificate`")), (502, true), "{body}");
}

#[tokio::test]
async fn every_spelling_of_the_proxy_variables_is_honoured() {
    let network = CorporateNetwork::start(false).await;
    let image = Image::build("app");
    network.registry.push(&image, "team/app:1").await;
    let url = network.proxy.url();
    let without_scheme = format!("{CREDENTIAL}@{}", network.proxy.address);
    let no_proxy_lists = [format!("other.test,{HOST}"), ".corp.test".to_owned(), format!("{HOST}:443"), "*".to_owned()];
    let other_targets = format!("{HOST}:5000,10.0.0.0/8,fd00::/8");
    let proxied = [
        vec![("HTTPS_PROXY", &*url)],
        vec![("https_proxy", &*url)],
        vec![("ALL_PROXY", &*url)],
        vec![("all_proxy", &*without_scheme)],
        vec![("HTTPS_PROXY", &*url), ("HTTP_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")],
        vec![("HTTPS_PROXY", &*url), ("NO_PROXY", &*other_targets)],
        // An empty variable counts as unset.
        vec![("HTTPS_PROXY", ""), ("ALL_PROXY", &*url), ("NO_PROXY", "")],
    ];
    let bypassed = no_proxy_lists.iter().flat_map(|list| {
        [vec![("HTTPS_PROXY", &*url), ("NO_PROXY", &**list)], vec![("all_proxy", &*url), ("no_proxy", &**list)]]
    });
    let unset = [vec![], vec![("HTTP_PROXY", &*url)]];
    let direct = bypassed.chain(unset).map(|variables| (variables, false));
    for (variables, is_proxied) in proxied.into_iter().map(|variables| (variables, true)).chain(direct) {
        // Here regpass learns the certificate authority from `SSL_CERT_FILE`, a variable that other programs read too.
        let all: Vec<(&str, &str)> = variables.iter().copied().chain([("SSL_CERT_FILE", &*network.ca_file)]).collect();
        let regpass = Regpass::start_with_env(&config(""), &all).await;
        let (status, body) = list_tags(&regpass, network.home()).await;
        if is_proxied {
            assert_eq!((status, body.contains("\"1\"")), (200, true), "{variables:?}: {body}");
            assert_eq!(network.proxy.take_targets(), [format!("{HOST}:443")], "{variables:?}");
        } else {
            assert_eq!(status, 502, "{variables:?}: {body}");
            assert!(body.contains("cannot be resolved"), "only the proxy resolves the name: {variables:?}: {body}");
            assert_eq!(network.proxy.take_targets(), [""; 0], "{variables:?}");
        }
        assert_no_proxy_password(&regpass.stop().join("\n"));
    }
}

#[tokio::test]
async fn missing_or_wrong_proxy_credential_is_reported_without_its_password() {
    let network = CorporateNetwork::start(false).await;
    let proxy = network.proxy.address;
    for (credential, words) in [("", "requires a credential (407)"), ("me:open%20says-me@", "rejected the credential")]
    {
        let url = format!("http://{credential}{proxy}");
        let regpass = Regpass::start_with_env(&config(""), &[("HTTPS_PROXY", &url)]).await;
        let (status, body) = list_tags(&regpass, network.home()).await;
        assert_eq!(status, 502, "{body}");
        let message = format!("{HOST} cannot be reached: the proxy {proxy} {words}");
        assert!(body.contains(&message) && body.contains("\"blame\":\"configuration\""), "{body}");
        let log = regpass.stop().join("\n");
        assert!(log.contains(words) && !log.contains("says-me"), "{log}");
        let route = format!("connecting to registries through HTTPS_PROXY=http://{proxy}\"");
        assert!(log.contains(&route), "{log}");
    }
}

#[tokio::test]
async fn check_reports_an_invalid_proxy_variable_without_its_value() {
    let home = TempDir::new().expect("a directory");
    let file = home.path().join("config.toml");
    fs::write(&file, config("")).expect("config.toml is written");
    for (url, code) in
        [(format!("http://{CREDENTIAL}@proxy.test:3128"), 0), (format!("ftp://{CREDENTIAL}@proxy.test"), 2)]
    {
        let mut check = program(env!("CARGO_BIN_EXE_regpass"), home.path());
        check.args(["check", "--config"]).arg(&file).env("https_proxy", &url);
        let checked = unchecked_output(&mut check).await;
        let printed = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert_eq!(checked.status.code(), Some(code), "{printed}");
        assert!(
            code == 0 || (printed.contains("https_proxy") && printed.contains("http://proxy.example")),
            "{printed}"
        );
        assert_no_proxy_password(&printed);
        assert!(!printed.contains(PASSWORD), "{printed}");
    }
}
