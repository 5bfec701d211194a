//! TLS listeners: negotiated protocols, client certificates, failed handshakes, and invalid files.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt, Full};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use regpass::listen::connection::{ListenerService, serve_stream_from};
use regpass::listen::peer::Peer;
use regpass::listen::tls::ServerTls;
use rustls::HandshakeKind;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::connections::{Served, TlsClient, http2, read_reply, to_http2};
use super::{Files, TAGS, TAGS_REQUEST, get, start};
use crate::harness::request;
use crate::log::Log;
use crate::sim::{Blob, Fault, sha256};

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

/// A new certificate authority.
pub(super) fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a certificate for localhost and its key; returns the configuration key `tls` that names them.
pub(super) fn tls(files: &Files, authority: &Authority) -> String {
    certificate(files, authority, &CertificateParams::new(vec!["localhost".to_owned()]).unwrap())
}

/// As [`tls`], with other parameters of the certificate.
pub(super) fn certificate(files: &Files, authority: &Authority, params: &CertificateParams) -> String {
    let key = KeyPair::generate().unwrap();
    let pem = params.signed_by(&key, authority).unwrap().pem();
    let (certificate, key) = (files.write("tls.pem", &pem), files.write("tls-key.pem", &key.serialize_pem()));
    format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}")
}

/// The configuration key `clients` that requires client certificates of this authority.
fn mtls(files: &Files, authority: &Authority) -> String {
    format!("clients = {{ mtls_ca = \"{}\" }}", files.write("clients.pem", &authority.pem()))
}

/// A client certificate with this common name and these alternative names; `change` edits the other parameters.
fn client(
    authority: &Authority,
    common: Option<&str>,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> (CertificateDer<'static>, KeyPair) {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(common) = common {
        params.distinguished_name.push(DnType::CommonName, common);
    }
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().der().clone(), key)
}

fn listener(keys: &[&str]) -> String {
    format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{}\n", keys.join("\n"))
}

#[tokio::test]
async fn protocol_is_negotiated_by_alpn() {
    let (files, issuer) = (Files::new(), authority());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    for (offered, negotiated) in
        [(&[][..], None), (&["http/1.1"], Some("http/1.1")), (&["h2"], Some("h2")), (&["http/1.1", "h2"], Some("h2"))]
    {
        let client = TlsClient::trusting(issuer.der()).offering(offered);
        let stream = client.connect(served.tcp().await).await.unwrap();
        assert_eq!(
            stream.get_ref().1.alpn_protocol().map(|name| str::from_utf8(name).unwrap()),
            negotiated,
            "{offered:?}"
        );
        let reply = client.send(served.tcp().await, get(TAGS, None)).await.unwrap();
        assert_eq!(reply.status, 200, "{offered:?}: {reply:?}");
        assert_eq!(reply.json()["name"], "acme/app");
        served.sim.ledger().expect(&[TAGS_REQUEST]);
    }
    assert!(TlsClient::trusting(issuer.der()).offering(&["h3"]).connect(served.tcp().await).await.is_err());
    let mut plain = served.tcp().await;
    plain.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut response = Vec::new();
    drop(plain.read_to_end(&mut response).await);
    assert!(!response.starts_with(b"HTTP"), "a request without TLS gets no HTTP response");
}

#[tokio::test]
async fn many_requests_share_one_http2_connection() {
    let (files, issuer) = (Files::new(), authority());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    let stream = TlsClient::trusting(issuer.der()).offering(&["h2"]).connect(served.tcp().await).await.unwrap();
    let sender = http2(stream).await;
    let get_tags = async || {
        let request = to_http2(get(TAGS, None)).map(Full::new);
        read_reply(sender.clone().send_request(request).await.unwrap()).await
    };
    for reply in futures_util::future::join_all((0..50).map(|_| get_tags())).await {
        assert_eq!(reply.status, 200);
    }
    // Pushes and the check of `Host` work as in HTTP/1.1.
    let foreign = http::Request::get("https://evil.example/v2/").body(Full::default()).unwrap();
    assert_eq!(read_reply(sender.clone().send_request(foreign).await.unwrap()).await.status_and_code(), "403 DENIED");
    let start = to_http2(request(Method::POST, "/v2/acme/app/blobs/uploads/")).map(Full::new);
    let started = read_reply(sender.clone().send_request(start).await.unwrap()).await;
    assert_eq!(started.status, 202, "{started:?}");
    let target = format!("{}&digest={}", started.header("location").unwrap(), sha256(b"bytes"));
    let target = if target.contains('?') { target } else { target.replacen('&', "?", 1) };
    let put = to_http2(request(Method::PUT, &target).map(|_| "bytes".into())).map(Full::new);
    let created = read_reply(sender.clone().send_request(put).await.unwrap()).await;
    assert_eq!(created.status, 201, "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn incomplete_blob_is_an_error_in_http2() {
    let (files, issuer) = (Files::new(), authority());
    let (_sim, registry, regpass) = start("").await;
    let blob = Blob::random(2, 8_000_000);
    registry.publish_blob("acme/app", &blob);
    tls(&files, &issuer);
    let tls = ServerTls::read(&files.path("tls.pem"), &files.path("tls-key.pem"), None).unwrap();
    let service = ListenerService { handler: regpass.handle(), tls: Some(Arc::new(tls)) };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_stream_from(theirs, Peer::default(), service));
    let mut sender = http2(TlsClient::trusting(issuer.der()).offering(&["h2"]).connect(ours).await.unwrap()).await;
    let blob_request = || to_http2(get(&format!("/v2/acme/app/blobs/{}", blob.digest), None)).map(Full::new);
    let reply = read_reply(sender.send_request(blob_request()).await.unwrap()).await;
    assert_eq!((reply.status.as_u16(), sha256(&reply.body)), (200, blob.digest.clone()));

    registry.api().inject(Fault::hang_mid_body(80_000));
    let mut body = sender.send_request(blob_request()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    registry.api().stop();
    let end = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_some_and(|frame| frame.is_err()), "an incomplete body must not end without an error");
    let next = read_reply(sender.send_request(to_http2(get("/v2/", None)).map(Full::new)).await.unwrap()).await;
    assert_eq!(next.status, 200, "the connection stays open");
}

#[tokio::test]
async fn tls_sessions_are_resumed_only_without_client_certificates() {
    let (files, issuer, clients) = (Files::new(), authority(), authority());
    for (rule, kind) in [(String::new(), HandshakeKind::Resumed), (mtls(&files, &clients), HandshakeKind::Full)] {
        let served = Served::start(&listener(&[&tls(&files, &issuer), &rule])).await;
        let (certificate, key) = client(&clients, Some("alice"), &[], |_| {});
        let connector = TlsClient::trusting(issuer.der()).with_certificate(&certificate, &key).connector();
        let mut last = None;
        for _ in 0..2 {
            let localhost = ServerName::try_from("localhost").unwrap();
            let mut stream = connector.connect(localhost, served.tcp().await).await.unwrap();
            last = stream.get_ref().1.handshake_kind();
            // The session ticket arrives with the response.
            stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut response = Vec::new();
            stream.read_to_end(&mut response).await.unwrap();
            assert!(response.starts_with(b"HTTP/1.1 200 "));
        }
        assert_eq!(last, Some(kind));
    }
}

#[tokio::test]
async fn only_valid_client_certificates_of_the_configured_authority_are_accepted() {
    let (files, issuer, clients, log) = (Files::new(), authority(), authority(), Log::capture());
    let served = Served::start(&listener(&[&tls(&files, &issuer), &mtls(&files, &clients)])).await;
    let send = async |certificate: Option<&(CertificateDer<'static>, KeyPair)>| {
        let client = TlsClient::trusting(issuer.der());
        let client = match certificate {
            Some((certificate, key)) => client.with_certificate(certificate, key),
            None => client,
        };
        client.send(served.tcp().await, get(TAGS, None)).await
    };
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    for (certificate, why) in [
        (None, "presented no certificate"),
        (Some(client(&issuer, Some("alice"), &[], |_| {})), "not issued by an authority in `mtls_ca`"),
        (Some(client(&clients, Some("alice"), &[], expired)), "has expired"),
    ] {
        assert!(send(certificate.as_ref()).await.is_err(), "{why}");
        let lines = log.lines(why);
        assert!(
            lines.len() == 1 && lines[0].contains("WARN") && lines[0].contains("from=127.0.0.1:"),
            "{why}: {lines:?}"
        );
    }
    served.sim.ledger().expect(&[]);
    for (common, names, logged) in [
        (Some("alice"), &["alice.example"][..], "client=alice "),
        (None, &["ci.example", "other.example"], "client=ci.example "),
        (Some("uid:0"), &[], "client=uid:0 "),
    ] {
        let reply = send(Some(&client(&clients, common, names, |_| {}))).await.unwrap();
        assert_eq!(reply.status, 200, "{logged}: {reply:?}");
        served.sim.ledger().expect(&[TAGS_REQUEST]);
        assert_eq!(log.lines(logged).len(), 1, "{logged}: {}", log.text());
    }
    let nameless = send(Some(&client(&clients, None, &[], |_| {}))).await.unwrap();
    assert_eq!(nameless.status, 200, "a valid certificate needs no name");
}

#[tokio::test]
async fn failed_handshake_is_logged_with_its_reason() {
    let (files, issuer, log) = (Files::new(), authority(), Log::capture());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    let distrusting = TlsClient::trusting(authority().der());
    assert!(distrusting.send(served.tcp().await, get(TAGS, None)).await.is_err());
    let mut plain = served.tcp().await;
    plain.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    _ = plain.read_to_end(&mut Vec::new()).await;
    // A port probe that closes at once is not logged.
    drop(served.tcp().await);
    assert_eq!(TlsClient::trusting(issuer.der()).send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    assert_eq!(log.lines("does not trust the certificate in `tls`").len(), 1, "{}", log.text());
    assert_eq!(log.lines("does not speak TLS").len(), 1, "{}", log.text());
    assert_eq!(log.lines("TLS handshake failed").len(), 2, "{}", log.text());
}

/// Any client can make handshakes fail, with a certificate of any size, so number and length of the log lines are limited.
#[tokio::test]
async fn log_of_repeated_handshake_failures_is_limited() {
    let (files, issuer, clients, log) = (Files::new(), authority(), authority(), Log::capture());
    let served = Served::start(&listener(&[&tls(&files, &issuer), &mtls(&files, &clients)])).await;
    let purposes = |params: &mut CertificateParams| {
        let other = |number| ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 99999, number]);
        params.extended_key_usages = (0..2000).map(other).collect();
    };
    let (certificate, key) = client(&issuer, Some("mallory"), &[], purposes);
    let mallory = TlsClient::trusting(issuer.der()).with_certificate(&certificate, &key);
    for _ in 0..15 {
        assert!(mallory.send(served.tcp().await, get(TAGS, None)).await.is_err());
    }
    let warnings = log.lines("WARN");
    assert!(warnings.iter().all(|line| line.len() < 600), "{}", warnings[0].len());
    assert!(warnings[0].contains("does not allow extended key usage for client authentication"), "{}", warnings[0]);
    assert_eq!(warnings.len(), 10, "{warnings:?}");
}

#[tokio::test]
async fn slow_handshake_does_not_delay_other_clients() {
    let (files, issuer) = (Files::new(), authority());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(served.tcp().await);
    }
    let client = TlsClient::trusting(issuer.der());
    let reply = client.send(served.tcp().await, get(TAGS, None));
    let reply = timeout(Duration::from_secs(5), reply).await.expect("the silent connections do not delay it").unwrap();
    assert_eq!(reply.status, 200);
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn handshake_and_http2_preface_have_timeouts() {
    let (files, issuer) = (Files::new(), authority());
    tls(&files, &issuer);
    let tls = Arc::new(ServerTls::read(&files.path("tls.pem"), &files.path("tls-key.pem"), None).unwrap());
    let serve = |stream| {
        let handler: regpass::listen::connection::RequestHandler = Arc::new(|_| panic!("no request was made"));
        let service = ListenerService { handler, tls: Some(tls.clone()) };
        tokio::spawn(async move { serve_stream_from(stream, Peer::default(), service).await.is_err() })
    };
    let (_silent, theirs) = tokio::io::duplex(64 * 1024);
    let started = Instant::now();
    assert!(serve(theirs).await.unwrap(), "the handshake times out");
    assert_eq!(started.elapsed().as_secs(), 10);

    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = serve(theirs);
    let _connected = TlsClient::trusting(issuer.der()).offering(&["h2"]).connect(ours).await.unwrap();
    let started = Instant::now();
    serving.await.unwrap();
    assert!((50..=90).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn tls_files_of_windows_tools_are_read() {
    let utf16 = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (files, issuer) = (Files::new(), authority());
    let (tls, clients) = (tls(&files, &issuer), mtls(&files, &issuer));
    let read = |name: &str| std::fs::read_to_string(files.path(name)).unwrap().replace('\n', "\r\n");
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let certificate = format!("\u{feff}Bag Attributes\r\n{}", read("tls.pem").trim_end());
    let keys = utf16(&format!("{other_key}{}", read("tls-key.pem")));
    let authorities = utf16(&format!("{}\u{1a}", read("clients.pem")));
    std::fs::write(files.path("tls.pem"), certificate).unwrap();
    std::fs::write(files.path("tls-key.pem"), keys).unwrap();
    std::fs::write(files.path("clients.pem"), authorities).unwrap();
    let served = Served::start(&listener(&[&tls, &clients])).await;
    let (certificate, key) = client(&issuer, Some("alice"), &["alice.example"], |_| {});
    let accepted = TlsClient::trusting(issuer.der()).with_certificate(&certificate, &key);
    assert_eq!(accepted.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    served.sim.ledger().expect(&[TAGS_REQUEST]);
    let stranger = TlsClient::trusting(issuer.der());
    assert!(stranger.send(served.tcp().await, get(TAGS, None)).await.is_err(), "without a client certificate");
}

#[test]
fn invalid_tls_files_are_reported_by_name() {
    let (files, issuer) = (Files::new(), authority());
    tls(&files, &issuer);
    files.write("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    let read = |certificate: &str, key: &str, clients: Option<&str>| {
        let clients = clients.map(|name| files.path(name));
        let error = ServerTls::read(&files.path(certificate), &files.path(key), clients.as_deref()).unwrap_err();
        error.to_string()
    };
    files.write("broken.pem", "-----BEGIN PRIVATE KEY-----\nhunter2");
    files.write("empty.pem", "");
    for (error, parts) in [
        (read("missing.pem", "tls-key.pem", None), ["missing.pem", "No such file"]),
        (read("empty.pem", "tls-key.pem", None), ["empty.pem", "no PEM certificate"]),
        (read("tls.pem", "broken.pem", None), ["broken.pem", "PEM"]),
        (read("tls.pem", "tls.pem", None), ["tls.pem", "no private key"]),
        (read("tls.pem", "other.pem", None), ["other.pem", "not the key of the certificate"]),
        (read("tls.pem", "tls-key.pem", Some("empty.pem")), ["empty.pem", "no PEM certificate"]),
    ] {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("BEGIN"), "{error}");
    }
}
