//! TLS towards registries: what is believed, what is shown to whom, and errors that name the setting.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::harness::{Regpass, Reply};
use crate::sim::{Mode, Preset, Sim};

const TAGS: &str = "/v2/acme/app/tags/list";

/// A certificate with its key, as a server or a client shows it.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    pem: String,
}

fn names(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// What `openssl req -x509` makes: an authority that serves itself.
fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let mut params = names(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Shown { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(issuer: &CertifiedIssuer<'static, KeyPair>, params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    Shown { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
}

/// A server that answers every request alike and closes.
struct Server {
    address: SocketAddr,
    /// For each request, whether its connection showed a client certificate.
    seen: Arc<Mutex<Vec<bool>>>,
}

impl Server {
    /// With `asking`, asks for client certificates of that authority, and with `insisting` takes nothing else.
    async fn start(shown: &Shown, asking: Option<&CertificateDer<'static>>, insisting: bool, answer: String) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match asking {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if insisting { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(shown.chain.clone(), key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<bool>>>::default();
        let noted = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, noted, answer) = (acceptor.clone(), noted.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = [0; 4096];
                    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        noted.lock().unwrap().push(stream.get_ref().1.peer_certificates().is_some());
                        drop(stream.write_all(answer.as_bytes()).await);
                        drop(stream.shutdown().await);
                    }
                });
            }
        });
        Self { address, seen }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.address.port())
    }

    fn seen(&self) -> Vec<bool> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn ok() -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}".to_owned()
}

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Files of a configuration, written where it can name them.
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

    /// `ca = …`, with these certificates.
    fn ca(&self, pems: &[&str]) -> String {
        format!("ca = \"{}\"", self.write("ca.pem", &pems.concat()))
    }
}

async fn ask(url: &str, more: &str, target: &str) -> Reply {
    let sim = Sim::loopback();
    let text = format!("default_registry = \"tls.example\"\n[registry.\"tls.example\"]\nurl = \"{url}\"\n{more}");
    Regpass::start(&sim, &text).get(target).await
}

#[track_caller]
fn assert_refused(reply: &Reply, words: &str) {
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    let (_, message) = reply.error();
    assert!(message.contains(words) && message.contains("tls.example"), "{message}");
}

#[tokio::test]
async fn a_private_authority_is_believed_once_it_is_configured() {
    let (issuer, files) = (authority(), Files::new());
    let server = Server::start(&signed(&issuer, &names("127.0.0.1")), None, false, ok()).await;
    let reply = ask(&server.url(), "", TAGS).await;
    assert_refused(&reply, "unknown authority");
    assert!(reply.error().1.contains("'ca'"), "{reply:?}");
    assert!(server.seen().is_empty(), "no request was made");
    let other = authority();
    assert_refused(&ask(&server.url(), &files.ca(&[&other.pem()]), TAGS).await, "unknown authority");
    assert_eq!(ask(&server.url(), &files.ca(&[&other.pem(), &issuer.pem()]), TAGS).await.status, 200);
}

#[tokio::test]
async fn a_certificate_of_that_authority_must_fit_all_the_same() {
    let (issuer, files) = (authority(), Files::new());
    let mut expired = names("127.0.0.1");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = names("127.0.0.1");
    early.not_before = date_time_ymd(2090, 1, 1);
    early.not_after = date_time_ymd(2091, 1, 1);
    for (params, words) in [(names("other.example"), "another name"), (expired, "expired"), (early, "TLS failed")] {
        let server = Server::start(&signed(&issuer, &params), None, false, ok()).await;
        assert_refused(&ask(&server.url(), &files.ca(&[&issuer.pem()]), TAGS).await, words);
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_when_it_is_the_one_configured() {
    let files = Files::new();
    let shown = self_signed("127.0.0.1", |_| {});
    let server = Server::start(&shown, None, false, ok()).await;
    let reply = ask(&server.url(), "", TAGS).await;
    assert_refused(&reply, "'ca'");
    assert_eq!(ask(&server.url(), &files.ca(&[&shown.pem]), TAGS).await.status, 200);
    // Another one of the same name is another one.
    let twin = self_signed("127.0.0.1", |_| {});
    assert_refused(&ask(&server.url(), &files.ca(&[&twin.pem]), TAGS).await, "'ca'");
    assert_eq!(server.seen().len(), 1);
    // Neither authority nor chain: what a leaf that signed itself is.
    let leaf = self_signed("127.0.0.1", |params| params.is_ca = IsCa::NoCa);
    let server = Server::start(&leaf, None, false, ok()).await;
    assert_eq!(ask(&server.url(), &files.ca(&[&leaf.pem]), TAGS).await.status, 200);
}

#[tokio::test]
async fn a_configured_certificate_must_fit_the_name_and_the_day() {
    let files = Files::new();
    let stranger = self_signed("other.example", |_| {});
    let server = Server::start(&stranger, None, false, ok()).await;
    assert_refused(&ask(&server.url(), &files.ca(&[&stranger.pem]), TAGS).await, "another name");
    let expired = self_signed("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let late = Server::start(&expired, None, false, ok()).await;
    assert_refused(&ask(&late.url(), &files.ca(&[&expired.pem]), TAGS).await, "expired");
    assert!(server.seen().is_empty() && late.seen().is_empty());
}

#[tokio::test]
async fn the_client_certificate_is_shown_to_the_registry_and_to_nobody_else() {
    let (issuer, files) = (authority(), Files::new());
    let shown = signed(&issuer, &names("127.0.0.1"));
    let client = signed(&issuer, &names("regpass"));
    let root = issuer.der().clone();
    let target = Server::start(&shown, Some(&root), false, ok()).await;
    let location = format!("{}/signed", target.url());
    let home = Server::start(&shown, Some(&root), true, redirect(&location)).await;
    let (certificate, key) =
        (files.write("client.pem", &client.pem), files.write("key.pem", &client.key.serialize_pem()));
    let more = format!(
        "{}\nclient_certificate = {{ certificate = \"{certificate}\", key = \"{key}\" }}",
        files.ca(&[&issuer.pem()])
    );
    let blob = format!("/v2/acme/app/blobs/sha256:{}", "d".repeat(64));
    assert_eq!(ask(&home.url(), &more, &blob).await.status, 200);
    assert_eq!((home.seen(), target.seen()), (vec![true], vec![false]));
}

#[tokio::test]
async fn a_missing_client_certificate_is_named() {
    let (issuer, files) = (authority(), Files::new());
    let server = Server::start(&signed(&issuer, &names("127.0.0.1")), Some(issuer.der()), true, ok()).await;
    for _ in 0..5 {
        let reply = ask(&server.url(), &files.ca(&[&issuer.pem()]), TAGS).await;
        assert_refused(&reply, "'client_certificate'");
    }
}

#[tokio::test]
async fn a_registry_without_tls_is_told_apart() {
    let sim = Sim::loopback();
    let plain = sim.start(Preset::distribution(Mode::Open)).await;
    let reply = ask(&plain.origin().replace("http://", "https://"), "", TAGS).await;
    assert_refused(&reply, "'url'");
    assert!(reply.error().1.contains("http://"), "{reply:?}");
    sim.ledger().expect(&[]);
}

#[tokio::test]
async fn no_redirect_leads_from_tls_to_plain_text() {
    let (issuer, files) = (authority(), Files::new());
    let sim = Sim::loopback();
    let plain = sim.start(Preset::distribution(Mode::Open)).await;
    let shown = signed(&issuer, &names("127.0.0.1"));
    let server =
        Server::start(&shown, None, false, redirect(&format!("{}/v2/x/manifests/1?secret=1", plain.origin()))).await;
    let blob = format!("/v2/acme/app/blobs/sha256:{}", "d".repeat(64));
    for more in ["", "redirects = \"pass\""] {
        for target in [&*blob, "/v2/acme/app/manifests/1"] {
            let reply = ask(&server.url(), &format!("{}\n{more}", files.ca(&[&issuer.pem()])), target).await;
            assert_refused(&reply, "plain http");
            assert!(!reply.error().1.contains("secret"), "{reply:?}");
        }
    }
    sim.ledger().expect(&[]);
}

#[tokio::test]
async fn the_authority_of_one_registry_speaks_for_no_other() {
    let (issuer, files) = (authority(), Files::new());
    let server = Server::start(&signed(&issuer, &names("127.0.0.1")), None, false, ok()).await;
    let more = format!("{}\n[registry.\"other.example\"]\nurl = \"{}\"", files.ca(&[&issuer.pem()]), server.url());
    assert_eq!(ask(&server.url(), &more, TAGS).await.status, 200);
    let reply = ask(&server.url(), &more, "/v2/other.example/acme/app/tags/list").await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("unknown authority"), "{reply:?}");
}
