//! TLS listeners: which protocol is agreed on, whose certificates are believed, and who a certificate says its owner is.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt, Full};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use regpass::net::listen::{Service, serve_stream_as};
use regpass::net::peer::Peer;
use regpass::net::server_tls::ServerTls;
use rustls::HandshakeKind;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::network::{Served, TlsClient, absolute, http2, whole};
use super::{Files, SEEN, TAGS, get, start};
use crate::harness::request;
use crate::log::Log;
use crate::sim::{Blob, Fault, sha256};

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(super) fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// `tls = …`, with a certificate for localhost.
pub(super) fn tls(files: &Files, authority: &Authority) -> String {
    certificate(files, authority, &CertificateParams::new(vec!["localhost".to_owned()]).unwrap())
}

pub(super) fn certificate(files: &Files, authority: &Authority, params: &CertificateParams) -> String {
    let key = KeyPair::generate().unwrap();
    let pem = params.signed_by(&key, authority).unwrap().pem();
    let (certificate, key) = (files.write("tls.pem", &pem), files.write("tls-key.pem", &key.serialize_pem()));
    format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}")
}

fn mtls(files: &Files, authority: &Authority) -> String {
    format!("clients = {{ mtls_ca = \"{}\" }}", files.write("clients.pem", &authority.pem()))
}

/// A client's certificate: its common name, its other names, and what else there is to say.
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
async fn the_protocol_is_the_one_that_was_agreed_on() {
    let (files, issuer) = (Files::new(), authority());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    for (offered, agreed) in
        [(&[][..], None), (&["http/1.1"], Some("http/1.1")), (&["h2"], Some("h2")), (&["http/1.1", "h2"], Some("h2"))]
    {
        let client = TlsClient::of(issuer.der()).offering(offered);
        let stream = client.connect(served.tcp().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol().map(|one| str::from_utf8(one).unwrap()), agreed, "{offered:?}");
        let reply = client.send(served.tcp().await, get(TAGS, None)).await.unwrap();
        assert_eq!(reply.status, 200, "{offered:?}: {reply:?}");
        assert_eq!(reply.json()["name"], "acme/app");
        served.sim.ledger().expect(&[SEEN]);
    }
    assert!(TlsClient::of(issuer.der()).offering(&["h3"]).connect(served.tcp().await).await.is_err());
    let mut plain = served.tcp().await;
    plain.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP"), "nothing is said in the clear");
}

#[tokio::test]
async fn many_requests_share_one_connection_of_http2() {
    let (files, issuer) = (Files::new(), authority());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    let stream = TlsClient::of(issuer.der()).offering(&["h2"]).connect(served.tcp().await).await.unwrap();
    let sender = http2(stream).await;
    let ask = async || {
        let request = absolute(get(TAGS, None)).map(Full::new);
        whole(sender.clone().send_request(request).await.unwrap()).await
    };
    for reply in futures_util::future::join_all((0..50).map(|_| ask())).await {
        assert_eq!(reply.status, 200);
    }
    // Names are judged as they are in HTTP/1.1, and a push goes through as well.
    let foreign = http::Request::get("https://evil.example/v2/").body(Full::default()).unwrap();
    assert_eq!(whole(sender.clone().send_request(foreign).await.unwrap()).await.verdict(), "403 DENIED");
    let start = absolute(request(Method::POST, "/v2/acme/app/blobs/uploads/")).map(Full::new);
    let begun = whole(sender.clone().send_request(start).await.unwrap()).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let target = format!("{}&digest={}", begun.header("location").unwrap(), sha256(b"bytes"));
    let target = if target.contains('?') { target } else { target.replacen('&', "?", 1) };
    let put = absolute(request(Method::PUT, &target).map(|_| "bytes".into())).map(Full::new);
    let created = whole(sender.clone().send_request(put).await.unwrap()).await;
    assert_eq!(created.status, 201, "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn a_blob_is_whole_in_http2_and_a_broken_one_is_broken() {
    let (files, issuer) = (Files::new(), authority());
    let (_sim, registry, regpass) = start("").await;
    let blob = Blob::random(2, 8_000_000);
    registry.publish_blob("acme/app", &blob);
    tls(&files, &issuer);
    let tls = ServerTls::read(&files.path("tls.pem"), &files.path("tls-key.pem"), None).unwrap();
    let service = Service { handle: regpass.handle(), tls: Some(Arc::new(tls)) };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_stream_as(theirs, Peer::default(), service));
    let mut sender = http2(TlsClient::of(issuer.der()).offering(&["h2"]).connect(ours).await.unwrap()).await;
    let ask = || absolute(get(&format!("/v2/acme/app/blobs/{}", blob.digest), None)).map(Full::new);
    let reply = whole(sender.send_request(ask()).await.unwrap()).await;
    assert_eq!((reply.status.as_u16(), sha256(&reply.body)), (200, blob.digest.clone()));

    registry.registry().inject(Fault::hang_mid_body(80_000));
    let mut body = sender.send_request(ask()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    registry.registry().stop();
    let end = loop {
        match body.frame().await {
            Some(Ok(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_some_and(|frame| frame.is_err()), "never a clean short body");
    let next = whole(sender.send_request(absolute(get("/v2/", None)).map(Full::new)).await.unwrap()).await;
    assert_eq!(next.status, 200, "the connection goes on");
}

#[tokio::test]
async fn a_certificate_is_shown_anew_at_every_connection() {
    let (files, issuer, clients) = (Files::new(), authority(), authority());
    for (rule, kind) in [(String::new(), HandshakeKind::Resumed), (mtls(&files, &clients), HandshakeKind::Full)] {
        let served = Served::start(&listener(&[&tls(&files, &issuer), &rule])).await;
        let (certificate, key) = client(&clients, Some("alice"), &[], |_| {});
        let connector = TlsClient::of(issuer.der()).showing(&certificate, &key).connector();
        let mut last = None;
        for _ in 0..2 {
            let localhost = ServerName::try_from("localhost").unwrap();
            let mut stream = connector.connect(localhost, served.tcp().await).await.unwrap();
            last = stream.get_ref().1.handshake_kind();
            // What would take the session up again comes with the answer.
            stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200 "));
        }
        assert_eq!(last, Some(kind));
    }
}

#[tokio::test]
async fn only_certificates_of_the_listeners_authority_are_believed() {
    let (files, issuer, clients, log) = (Files::new(), authority(), authority(), Log::listen());
    let served = Served::start(&listener(&[&tls(&files, &issuer), &mtls(&files, &clients)])).await;
    let ask = async |shown: Option<&(CertificateDer<'static>, KeyPair)>| {
        let client = TlsClient::of(issuer.der());
        let client = match shown {
            Some((certificate, key)) => client.showing(certificate, key),
            None => client,
        };
        client.send(served.tcp().await, get(TAGS, None)).await
    };
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    for (shown, why) in [
        (None, "showed no certificate"),
        (Some(client(&issuer, Some("alice"), &[], |_| {})), "of no authority in 'mtls_ca'"),
        (Some(client(&clients, Some("alice"), &[], expired)), "has expired"),
    ] {
        assert!(ask(shown.as_ref()).await.is_err(), "{why}");
        let told = log.lines(why);
        assert!(told.len() == 1 && told[0].contains("WARN") && told[0].contains("from=127.0.0.1:"), "{why}: {told:?}");
    }
    served.sim.ledger().expect(&[]);
    for (common, names, told) in [
        (Some("alice"), &["alice.example"][..], "client=alice "),
        (None, &["ci.example", "other.example"], "client=ci.example "),
        (Some("uid:0"), &[], "client=uid:0 "),
    ] {
        let reply = ask(Some(&client(&clients, common, names, |_| {}))).await.unwrap();
        assert_eq!(reply.status, 200, "{told}: {reply:?}");
        served.sim.ledger().expect(&[SEEN]);
        assert_eq!(log.lines(told).len(), 1, "{told}: {}", log.text());
    }
    let nameless = ask(Some(&client(&clients, None, &[], |_| {}))).await.unwrap();
    assert_eq!(nameless.status, 200, "good, and nobody in particular");
}

#[tokio::test]
async fn who_cannot_agree_with_a_listener_is_told_of_with_the_reason() {
    let (files, issuer, log) = (Files::new(), authority(), Log::listen());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    let distrusting = TlsClient::of(authority().der());
    assert!(distrusting.send(served.tcp().await, get(TAGS, None)).await.is_err());
    let mut plain = served.tcp().await;
    plain.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    _ = plain.read_to_end(&mut Vec::new()).await;
    // As a probe of the port does.
    drop(served.tcp().await);
    assert_eq!(TlsClient::of(issuer.der()).send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    assert_eq!(log.lines("does not believe the certificate in 'tls'").len(), 1, "{}", log.text());
    assert_eq!(log.lines("does not speak TLS").len(), 1, "{}", log.text());
    assert_eq!(log.lines("a TLS connection was not made").len(), 2, "{}", log.text());
}

/// Whoever reaches a listener can fail there as often, and with as long a certificate, as they like.
#[tokio::test]
async fn who_fails_again_and_again_does_not_fill_the_log() {
    let (files, issuer, clients, log) = (Files::new(), authority(), authority(), Log::listen());
    let served = Served::start(&listener(&[&tls(&files, &issuer), &mtls(&files, &clients)])).await;
    let purposes = |params: &mut CertificateParams| {
        let other = |number| ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 99999, number]);
        params.extended_key_usages = (0..2000).map(other).collect();
    };
    let (certificate, key) = client(&issuer, Some("mallory"), &[], purposes);
    let mallory = TlsClient::of(issuer.der()).showing(&certificate, &key);
    for _ in 0..15 {
        assert!(mallory.send(served.tcp().await, get(TAGS, None)).await.is_err());
    }
    let told = log.lines("WARN");
    assert!(told.iter().all(|line| line.len() < 600), "{}", told[0].len());
    assert!(told[0].contains("does not allow extended key usage for client authentication"), "{}", told[0]);
    assert_eq!(told.len(), 10, "{told:?}");
}

#[tokio::test]
async fn a_slow_handshake_holds_nobody_up() {
    let (files, issuer) = (Files::new(), authority());
    let served = Served::start(&listener(&[&tls(&files, &issuer)])).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(served.tcp().await);
    }
    let client = TlsClient::of(issuer.der());
    let reply = client.send(served.tcp().await, get(TAGS, None));
    let reply = timeout(Duration::from_secs(5), reply).await.expect("an answer meanwhile").unwrap();
    assert_eq!(reply.status, 200);
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_and_a_preface_are_waited_for_and_not_for_ever() {
    let (files, issuer) = (Files::new(), authority());
    tls(&files, &issuer);
    let tls = Arc::new(ServerTls::read(&files.path("tls.pem"), &files.path("tls-key.pem"), None).unwrap());
    let serve = |stream| {
        let handle: regpass::net::listen::Handle = Arc::new(|_| panic!("no request was made"));
        let service = Service { handle, tls: Some(tls.clone()) };
        tokio::spawn(async move { serve_stream_as(stream, Peer::default(), service).await.is_err() })
    };
    let (_silent, theirs) = tokio::io::duplex(64 * 1024);
    let begun = Instant::now();
    assert!(serve(theirs).await.unwrap(), "given up");
    assert_eq!(begun.elapsed().as_secs(), 10);

    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = serve(theirs);
    let _agreed = TlsClient::of(issuer.der()).offering(&["h2"]).connect(ours).await.unwrap();
    let begun = Instant::now();
    serving.await.unwrap();
    assert!((50..=90).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[test]
fn files_that_do_not_fit_say_which_and_how() {
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
        (read("tls.pem", "tls.pem", None), ["tls.pem", "no PEM block"]),
        (read("tls.pem", "other.pem", None), ["other.pem", "not the key of the certificate"]),
        (read("tls.pem", "tls-key.pem", Some("empty.pem")), ["empty.pem", "no PEM certificate"]),
    ] {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("BEGIN"), "{error}");
    }
}
