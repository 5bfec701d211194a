//! A registry that only the proxy reaches, with a certificate of the corporation and a wish for one of ours.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::proxy::{LOGIN, Proxy, SECRETS};
use crate::curl::fetch;
use crate::image::Image;
use crate::process::{ended, output, plain, private, stdout};
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;

const HOST: &str = "registry.corp.test";
const TAGS: &str = "/v2/team/app/tags/list";

/// The corporation's authority, and certificates of it.
struct Authority {
    files: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let files = TempDir::new().expect("files");
        fs::write(files.path().join("ca.pem"), issuer.pem()).expect("ca.pem");
        Self { files, issuer }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// The files of a certificate and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        let (certificate_file, key_file) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        fs::write(&certificate_file, certificate).expect("a certificate");
        fs::write(&key_file, key.serialize_pem()).expect("a key");
        (certificate_file, key_file)
    }
}

/// A registry with TLS of this authority, and the proxy that leads to it. With `insisting`, it takes nobody without a
/// certificate of the same.
async fn set(authority: &Authority, insisting: bool) -> (Registry, Proxy) {
    let (certificate, key) = authority.certify(HOST);
    let mut tls = json!({ "certificate": certificate, "key": key });
    if insisting {
        tls["clientcas"] = json!([authority.path("ca.pem")]);
    }
    let registry = Registry::start_htpasswd_at(&json!({ "addr": "127.0.0.1:0", "tls": tls })).await;
    let proxy = Proxy::start(HOST, registry.address).await;
    (registry, proxy)
}

fn config(keys: &str) -> String {
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
        {keys}
        "#
    )
}

/// Status and body of a GET through regpass, and everything that regpass tells about itself then. No secret is in it.
async fn ask(regpass: &Regpass, home: &Path) -> (u16, String) {
    let curl = || {
        let mut curl = plain("curl", home);
        curl.args(["-q", "--silent", "--include"]);
        curl
    };
    let reply = fetch(curl().arg(regpass.url(TAGS))).await;
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    let mut told = body.clone();
    let admin = regpass.admin().await;
    for path in ["", "status.json", "readyz", "metrics"] {
        told += &stdout(curl().arg(format!("http://{admin}/{path}"))).await;
    }
    assert_secret(&told);
    (reply.status, body)
}

#[track_caller]
fn assert_secret(told: &str) {
    for secret in SECRETS {
        assert!(!told.contains(secret), "the proxy's login is told: {told}");
    }
}

#[tokio::test]
async fn images_go_through_a_proxy_with_a_login_to_a_registry_that_wants_a_certificate() {
    let authority = Authority::new();
    let (_registry, proxy) = set(&authority, true).await;
    let (certificate, key) = authority.certify("regpass");
    let ca = authority.path("ca.pem");
    let shown = format!("ca = \"{ca}\"\nclient_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}");
    let regpass = Regpass::start_in(&config(&shown), &[("HTTPS_PROXY", &proxy.url())]).await;
    let home = authority.files.path();
    let image = Image::build("app");
    let name = format!("docker://{}", regpass.image("team/app:1"));
    let source = format!("oci:{}", image.layout().display());
    let push = ["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", &source, &name];
    output(private("skopeo", home).args(push)).await;
    let copy = format!("dir:{}", home.join("copy").display());
    output(private("skopeo", home).args(["copy", "--all", "--src-tls-verify=false", &name, &copy])).await;
    let (status, body) = ask(&regpass, home).await;
    assert_eq!((status, body.contains("\"1\"")), (200, true), "{body}");
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|target| *target == format!("{HOST}:443")), "{asked:?}");
    assert_secret(&regpass.stop().join("\n"));

    // Without a certificate of ours the registry says no, and the error what is missing.
    let without = format!("ca = \"{ca}\"");
    let regpass = Regpass::start_in(&config(&without), &[("HTTPS_PROXY", &proxy.url())]).await;
    let (status, body) = ask(&regpass, home).await;
    assert_eq!((status, body.contains("'client_certificate'")), (502, true), "{body}");
}

#[tokio::test]
async fn every_spelling_of_the_variables_leads_the_same_way() {
    let authority = Authority::new();
    let (registry, proxy) = set(&authority, false).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    let (ca, url, home) = (authority.path("ca.pem"), proxy.url(), authority.files.path());
    let bare = format!("{LOGIN}@{}", proxy.address);
    let lists = [format!("other.test,{HOST}"), ".corp.test".to_owned(), format!("{HOST}:443"), "*".to_owned()];
    let other_port = format!("{HOST}:5000,10.0.0.0/8,fd00::/8");
    let through = [
        vec![("HTTPS_PROXY", &*url)],
        vec![("https_proxy", &*url)],
        vec![("ALL_PROXY", &*url)],
        vec![("all_proxy", &*bare)],
        vec![("HTTPS_PROXY", &*url), ("HTTP_PROXY", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")],
        vec![("HTTPS_PROXY", &*url), ("NO_PROXY", &*other_port)],
        // Empty is unset.
        vec![("HTTPS_PROXY", ""), ("ALL_PROXY", &*url), ("NO_PROXY", "")],
    ];
    let around = lists.iter().flat_map(|list| {
        [vec![("HTTPS_PROXY", &*url), ("NO_PROXY", &**list)], vec![("all_proxy", &*url), ("no_proxy", &**list)]]
    });
    let nothing = [vec![], vec![("HTTP_PROXY", &*url)]];
    for (variables, leads_there) in
        through.into_iter().map(|way| (way, true)).chain(around.chain(nothing).map(|way| (way, false)))
    {
        // The authority this time by the variable that every program knows.
        let all: Vec<(&str, &str)> = variables.iter().copied().chain([("SSL_CERT_FILE", &*ca)]).collect();
        let regpass = Regpass::start_in(&config(""), &all).await;
        let (status, body) = ask(&regpass, home).await;
        if leads_there {
            assert_eq!((status, body.contains("\"1\"")), (200, true), "{variables:?}: {body}");
            assert_eq!(proxy.asked(), [format!("{HOST}:443")], "{variables:?}");
        } else {
            assert_eq!(status, 502, "{variables:?}: {body}");
            assert!(body.contains("cannot be resolved"), "only the proxy knows it: {variables:?}: {body}");
            assert_eq!(proxy.asked(), [""; 0], "{variables:?}");
        }
        assert_secret(&regpass.stop().join("\n"));
    }
}

#[tokio::test]
async fn a_login_that_is_missing_or_wrong_is_told_and_no_secret_is() {
    let authority = Authority::new();
    let (_registry, proxy) = set(&authority, false).await;
    let home = authority.files.path();
    for (login, words) in [("", "wants a login (407)"), ("me:open%20says-me@", "does not take the login")] {
        let url = format!("http://{login}{}", proxy.address);
        let regpass = Regpass::start_in(&config(""), &[("HTTPS_PROXY", &url)]).await;
        let (status, body) = ask(&regpass, home).await;
        assert_eq!(status, 502, "{body}");
        let told = format!("{HOST} cannot be reached: the proxy {} {words}", proxy.address);
        assert!(body.contains(&told) && body.contains("\"blame\":\"configuration\""), "{body}");
        let log = regpass.stop().join("\n");
        assert!(log.contains(words) && !log.contains("says-me"), "{log}");
        let way = format!("registries are reached by way of HTTPS_PROXY=http://{}\"", proxy.address);
        assert!(log.contains(&way), "{log}");
    }
}

/// `check` tells no more of them than is wrong with them.
#[tokio::test]
async fn check_repeats_no_variable() {
    let home = TempDir::new().expect("a directory");
    let file = home.path().join("config.toml");
    fs::write(&file, config("")).expect("config");
    for (url, code) in [(format!("http://{LOGIN}@proxy.test:3128"), 0), (format!("ftp://{LOGIN}@proxy.test"), 2)] {
        let mut check = plain(env!("CARGO_BIN_EXE_regpass"), home.path());
        check.args(["check", "--config"]).arg(&file).env("https_proxy", &url);
        let checked = ended(&mut check).await;
        let told = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        assert_eq!(checked.status.code(), Some(code), "{told}");
        assert!(code == 0 || (told.contains("https_proxy") && told.contains("http://proxy.example")), "{told}");
        assert_secret(&told);
        assert!(!told.contains(PASSWORD), "{told}");
    }
}
