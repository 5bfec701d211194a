//! TLS towards registries: trusted authorities, client certificates, and errors that name the setting.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::harness::{Regpass, Reply, request};
use crate::sim::{self, AuthMode, Preset, Sim};

const TAGS: &str = "/v2/acme/app/tags/list";

/// A certificate with its key, of a server or a client.
struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    pem: String,
}

fn params_for(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// A self-signed certificate that is also an authority, as `openssl req -x509` makes it, unless `change` alters that.
fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    let mut params = params_for(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Certificate { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(issuer: &CertifiedIssuer<'static, KeyPair>, params: &CertificateParams) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    Certificate { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
}

/// A TLS server that sends the same response to every request and closes the connection.
struct Server {
    address: SocketAddr,
    /// For each request, whether the client presented a certificate.
    client_certificates: Arc<Mutex<Vec<bool>>>,
}

impl Server {
    /// A server without client certificates.
    async fn start(certificate: &Certificate, response: String) -> Self {
        Self::start_with(certificate, ClientCertificates::Ignored, response).await
    }

    async fn start_with(certificate: &Certificate, clients: ClientCertificates<'_>, response: String) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            ClientCertificates::Ignored => builder.with_no_client_auth(),
            ClientCertificates::Requested(authority) | ClientCertificates::Required(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let is_required = matches!(clients, ClientCertificates::Required(_));
                let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(certificate.chain.clone(), key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client_certificates = Arc::<Mutex<Vec<bool>>>::default();
        let recorded = client_certificates.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, recorded, response) = (acceptor.clone(), recorded.clone(), response.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = [0; 4096];
                    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        recorded.lock().unwrap().push(stream.get_ref().1.peer_certificates().is_some());
                        drop(stream.write_all(response.as_bytes()).await);
                        drop(stream.shutdown().await);
                    }
                });
            }
        });
        Self { address, client_certificates }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.address.port())
    }

    /// For each request since the last call, whether the client presented a certificate.
    fn take_requests(&self) -> Vec<bool> {
        std::mem::take(&mut self.client_certificates.lock().unwrap())
    }
}

/// Starts a TLS server whose certificate is self-signed (`is_authority`) or signed by an unknown authority.
pub async fn start_untrusted_server(is_authority: bool) -> SocketAddr {
    let certificate =
        if is_authority { self_signed("127.0.0.1", |_| {}) } else { signed(&authority(), &params_for("127.0.0.1")) };
    Server::start(&certificate, ok()).await.address
}

/// How a server treats client certificates. The authority in the variant must have issued them.
#[derive(Clone, Copy)]
enum ClientCertificates<'a> {
    Ignored,
    Requested(&'a CertificateDer<'static>),
    Required(&'a CertificateDer<'static>),
}

fn ok() -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}".to_owned()
}

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// A folder for the files that a configuration names.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Writes a file with these certificates; returns the configuration key `ca` that names it.
    fn ca(&self, pems: &[&str]) -> String {
        format!("ca = \"{}\"", self.write("ca.pem", &pems.concat()))
    }
}

/// GET through regpass from a registry at this URL; `more` is added to its table in the configuration.
async fn get(url: &str, more: &str, target: &str) -> Reply {
    let sim = Sim::loopback();
    let text = format!("default_registry = \"tls.example\"\n[registry.\"tls.example\"]\nurl = \"{url}\"\n{more}");
    Regpass::start(&sim, &text).get(target).await
}

#[track_caller]
fn assert_rejected(reply: &Reply, reason: &str) {
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    let (_, message) = reply.error();
    assert!(message.contains(reason) && message.contains("tls.example"), "{message}");
}

#[tokio::test]
async fn private_authority_is_trusted_only_if_configured() {
    let (issuer, files) = (authority(), Files::new());
    let server = Server::start(&signed(&issuer, &params_for("127.0.0.1")), ok()).await;
    let reply = get(&server.url(), "", TAGS).await;
    assert_rejected(&reply, "unknown authority");
    assert!(reply.error().1.contains("`ca`"), "{reply:?}");
    assert!(server.take_requests().is_empty(), "no request was sent");
    let other = authority();
    assert_rejected(&get(&server.url(), &files.ca(&[&other.pem()]), TAGS).await, "unknown authority");
    assert_eq!(get(&server.url(), &files.ca(&[&other.pem(), &issuer.pem()]), TAGS).await.status, 200);
}

#[tokio::test]
async fn authorities_and_client_certificates_of_windows_tools_are_read() {
    let utf16 = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (issuer, files) = (authority(), Files::new());
    let client = signed(&issuer, &params_for("regpass"));
    let certificate = signed(&issuer, &params_for("127.0.0.1"));
    let server = Server::start_with(&certificate, ClientCertificates::Required(issuer.der()), ok()).await;
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let bundle = format!("# Root\r\n{}\r\n# Own\r\n{}", crlf(&authority().pem()), crlf(issuer.pem().trim_end()));
    let keys = crlf(&format!("{}{}", KeyPair::generate().unwrap().serialize_pem(), client.key.serialize_pem()));
    let certificate = crlf(&client.pem);
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    for encode in [&marked as &dyn Fn(&str) -> Vec<u8>, &utf16] {
        let write = |name: &str, text: &str| {
            std::fs::write(files.0.path().join(name), encode(text)).unwrap();
            files.0.path().join(name).display().to_string()
        };
        let (ca, certificate, key) =
            (write("ca.pem", &bundle), write("client.pem", &certificate), write("key.pem", &keys));
        let identity = format!("client_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}");
        assert_eq!(get(&server.url(), &format!("ca = \"{ca}\"\n{identity}"), TAGS).await.status, 200);
        assert_eq!(server.take_requests(), [true]);
    }
}

#[tokio::test]
async fn certificate_of_a_configured_authority_must_match_host_and_date() {
    let (issuer, files) = (authority(), Files::new());
    let mut expired = params_for("127.0.0.1");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = params_for("127.0.0.1");
    early.not_before = date_time_ymd(2090, 1, 1);
    early.not_after = date_time_ymd(2091, 1, 1);
    for (params, reason) in
        [(params_for("other.example"), "another host name"), (expired, "expired"), (early, "TLS failed")]
    {
        let server = Server::start(&signed(&issuer, &params), ok()).await;
        assert_rejected(&get(&server.url(), &files.ca(&[&issuer.pem()]), TAGS).await, reason);
        assert!(server.take_requests().is_empty());
    }
}

#[tokio::test]
async fn self_signed_certificate_is_trusted_only_if_configured() {
    let files = Files::new();
    let configured = self_signed("127.0.0.1", |_| {});
    let server = Server::start(&configured, ok()).await;
    let reply = get(&server.url(), "", TAGS).await;
    assert_rejected(&reply, "`ca`");
    assert_eq!(get(&server.url(), &files.ca(&[&configured.pem]), TAGS).await.status, 200);
    // A certificate with the same name but another key is not trusted.
    let twin = self_signed("127.0.0.1", |_| {});
    assert_rejected(&get(&server.url(), &files.ca(&[&twin.pem]), TAGS).await, "`ca`");
    assert_eq!(server.take_requests().len(), 1);
    // A self-signed certificate that is no authority.
    let leaf = self_signed("127.0.0.1", |params| params.is_ca = IsCa::NoCa);
    let server = Server::start(&leaf, ok()).await;
    assert_eq!(get(&server.url(), &files.ca(&[&leaf.pem]), TAGS).await.status, 200);
}

#[tokio::test]
async fn configured_certificate_must_match_host_and_date() {
    let files = Files::new();
    let stranger = self_signed("other.example", |_| {});
    let server = Server::start(&stranger, ok()).await;
    assert_rejected(&get(&server.url(), &files.ca(&[&stranger.pem]), TAGS).await, "another host name");
    let expired = self_signed("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let expired_server = Server::start(&expired, ok()).await;
    assert_rejected(&get(&expired_server.url(), &files.ca(&[&expired.pem]), TAGS).await, "expired");
    assert!(server.take_requests().is_empty() && expired_server.take_requests().is_empty());
}

#[tokio::test]
async fn client_certificate_is_presented_only_to_the_registry() {
    let (issuer, files) = (authority(), Files::new());
    let certificate = signed(&issuer, &params_for("127.0.0.1"));
    let client = signed(&issuer, &params_for("regpass"));
    let root = issuer.der().clone();
    let target = Server::start_with(&certificate, ClientCertificates::Requested(&root), ok()).await;
    let location = format!("{}/signed", target.url());
    let registry = Server::start_with(&certificate, ClientCertificates::Required(&root), redirect(&location)).await;
    let (certificate, key) =
        (files.write("client.pem", &client.pem), files.write("key.pem", &client.key.serialize_pem()));
    let more = format!(
        "{}\nclient_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}",
        files.ca(&[&issuer.pem()])
    );
    let blob = format!("/v2/acme/app/blobs/{}", sim::sha256(b"{}"));
    assert_eq!(get(&registry.url(), &more, &blob).await.status, 200);
    assert_eq!((registry.take_requests(), target.take_requests()), (vec![true], vec![false]));
}

/// Not even where the API is at the registry's own origin.
#[tokio::test]
async fn client_certificate_is_not_presented_to_the_api_of_the_vendor() {
    let (issuer, files) = (authority(), Files::new());
    let certificate = signed(&issuer, &params_for("127.0.0.1"));
    let client = signed(&issuer, &params_for("regpass"));
    let root = issuer.der().clone();
    let start = || Server::start_with(&certificate, ClientCertificates::Requested(&root), ok());
    let (registry, api) = (start().await, start().await);
    let (certificate, key) =
        (files.write("client.pem", &client.pem), files.write("key.pem", &client.key.serialize_pem()));
    for vendor_api in [&api, &registry] {
        let text = format!(
            "[registry.\"tls.example\"]\nurl = \"{}\"\nprofile = \"ghcr\"\nallow = [\"delete\"]\n\
             vendor_api = \"{}\"\n{}\n\
             client_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n\
             credential = {{ source = \"password\", username = \"me\", password = \"ghp_0123456789\" }}",
            registry.url(),
            vendor_api.url(),
            files.ca(&[&issuer.pem()])
        );
        let regpass = Regpass::start(&Sim::loopback(), &text);
        let reply = regpass.send(request(Method::DELETE, "/v2/tls.example/acme/app/manifests/1")).await;
        assert_rejected(&reply, "not the expected document");
        assert_eq!(vendor_api.take_requests(), [false]);
    }
    assert!(registry.take_requests().is_empty());
}

#[tokio::test]
async fn missing_client_certificate_is_502_with_advice() {
    let (issuer, files) = (authority(), Files::new());
    let server = Server::start_with(
        &signed(&issuer, &params_for("127.0.0.1")),
        ClientCertificates::Required(issuer.der()),
        ok(),
    )
    .await;
    for _ in 0..5 {
        let reply = get(&server.url(), &files.ca(&[&issuer.pem()]), TAGS).await;
        assert_rejected(&reply, "`client_certificate`");
    }
}

#[tokio::test]
async fn registry_without_tls_is_502_with_advice() {
    let sim = Sim::loopback();
    let plain = sim.start(Preset::distribution(AuthMode::Open)).await;
    let reply = get(&plain.origin().replace("http://", "https://"), "", TAGS).await;
    assert_rejected(&reply, "`url`");
    assert!(reply.error().1.contains("http://"), "{reply:?}");
    sim.ledger().expect(&[]);
}

#[tokio::test]
async fn redirect_from_tls_to_plain_http_is_rejected() {
    let (issuer, files) = (authority(), Files::new());
    let sim = Sim::loopback();
    let plain = sim.start(Preset::distribution(AuthMode::Open)).await;
    let location = format!("{}/v2/x/manifests/1?secret=1", plain.origin());
    let server = Server::start(&signed(&issuer, &params_for("127.0.0.1")), redirect(&location)).await;
    let blob = format!("/v2/acme/app/blobs/sha256:{}", "d".repeat(64));
    for more in ["", "redirects = \"pass\""] {
        for target in [&*blob, "/v2/acme/app/manifests/1"] {
            let reply = get(&server.url(), &format!("{}\n{more}", files.ca(&[&issuer.pem()])), target).await;
            assert_rejected(&reply, "plain http");
            assert!(!reply.error().1.contains("secret"), "{reply:?}");
        }
    }
    sim.ledger().expect(&[]);
}

#[tokio::test]
async fn authority_of_one_registry_is_not_trusted_for_another() {
    let (issuer, files) = (authority(), Files::new());
    let server = Server::start(&signed(&issuer, &params_for("127.0.0.1")), ok()).await;
    let more = format!("{}\n[registry.\"other.example\"]\nurl = \"{}\"", files.ca(&[&issuer.pem()]), server.url());
    assert_eq!(get(&server.url(), &more, TAGS).await.status, 200);
    let reply = get(&server.url(), &more, "/v2/other.example/acme/app/tags/list").await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("unknown authority"), "{reply:?}");
}
