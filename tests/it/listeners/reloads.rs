//! Reload of listeners: the socket stays open, and new connections follow the new configuration.

use http::Request;
use http_body_util::Full;
use rcgen::{CertificateParams, date_time_ymd};
use regpass::base::clock::WallClock;
use regpass::listen::tls::ServerTls;
use tokio::net::TcpListener;

use super::certificates::{authority, certificate, tls};
use super::connections::{Served, TlsClient, exchange, http2, read_reply, to_http2};
use super::{Files, PASSWORD, TAGS, basic, get};
use crate::log::Log;

/// A listener whose port the system chooses; a reload with the same configured address keeps the socket.
fn listener(keys: &str) -> String {
    format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{keys}\n")
}

#[tokio::test]
async fn new_certificate_is_used_and_an_invalid_one_is_rejected() {
    let (files, old, new) = (Files::new(), authority(), authority());
    let keys = tls(&files, &old);
    let mut served = Served::start(&listener(&keys)).await;
    let address = served.address();
    let (of_old, of_new) = (TlsClient::trusting(old.der()), TlsClient::trusting(new.der()));
    assert_eq!(of_old.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    let open = of_old.connect(served.tcp().await).await.unwrap();

    files.write("tls.pem", "no certificate");
    let rejected = served.listen(&listener(&keys)).await.unwrap_err();
    assert!(rejected.contains("listener.tls") && rejected.contains("tls.pem"), "{rejected}");
    assert_eq!(of_old.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);

    tls(&files, &new);
    served.listen(&listener(&keys)).await.unwrap();
    assert!(of_old.send(served.tcp().await, get(TAGS, None)).await.is_err());
    assert_eq!(of_new.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    assert_eq!(served.address(), address);
    // On a connection from before the reload one more request is served.
    let last = exchange(open, get(TAGS, None), false).await;
    assert_eq!((last.status.as_u16(), last.header("connection")), (200, Some("close")));
}

#[tokio::test]
async fn reload_closes_http2_connections_without_losing_requests() {
    let (files, issuer) = (Files::new(), authority());
    let keys = tls(&files, &issuer);
    let mut served = Served::start(&listener(&keys)).await;
    let client = TlsClient::trusting(issuer.der()).offering(&["h2"]);
    let mut sender = http2(client.connect(served.tcp().await).await.unwrap()).await;
    let get_tags = || -> Request<Full<_>> { to_http2(get(TAGS, None)).map(Full::new) };
    assert_eq!(read_reply(sender.send_request(get_tags()).await.unwrap()).await.status, 200);
    let in_flight = sender.send_request(get_tags());
    served.listen(&listener(&format!("{keys}\nhosts = [\"other\"]"))).await.unwrap();
    assert_eq!(read_reply(in_flight.await.unwrap()).await.status, 200);
    // After GOAWAY the client opens another connection.
    while sender.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    served.stop().await;
}

#[tokio::test]
async fn changed_client_authentication_applies_to_the_next_connection() {
    let files = Files::new();
    let mut served = Served::start(&listener("")).await;
    let status = async |served: &Served, authorization: Option<&str>| {
        exchange(served.tcp().await, get(TAGS, authorization), false).await.status.as_u16()
    };
    assert_eq!(status(&served, None).await, 200);
    let clients = files.htpasswd(&[("alice", PASSWORD)]);
    served.listen(&listener(&clients)).await.unwrap();
    let alice = basic("alice", PASSWORD);
    assert_eq!((status(&served, None).await, status(&served, Some(&alice)).await), (401, 200));
    // The last valid content of an htpasswd file stays in use, also when a reload with the invalid one fails.
    files.write("htpasswd", "nonsense");
    let rejected = served.listen(&listener(&format!("{clients}\nhosts = [\"other\"]"))).await.unwrap_err();
    assert!(rejected.contains("listener.clients.htpasswd") && rejected.contains("line 1"), "{rejected}");
    assert_eq!((status(&served, None).await, status(&served, Some(&alice)).await), (401, 200));
    served.listen(&listener("")).await.unwrap();
    assert_eq!(status(&served, None).await, 200);
}

#[tokio::test]
async fn change_of_one_listener_leaves_the_other_untouched() {
    let mut served = Served::start(&(listener("") + &listener("hosts = [\"two\"]"))).await;
    let before = served.addresses();
    served.listen(&(listener("hosts = [\"one\"]") + &listener("hosts = [\"two\"]"))).await.unwrap();
    let mut after = served.addresses();
    assert!(after.iter().all(|address| before.contains(address)), "{before:?} {after:?}");
    after.dedup();
    assert_eq!(after.len(), 2, "each listener keeps its own socket: {after:?}");
    for (address, host) in [(before[0], "one"), (before[1], "two")] {
        let mut request = get(TAGS, None);
        request.headers_mut().insert("host", host.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        assert_eq!(exchange(stream, request, false).await.status, 200, "{host}");
    }
}

/// regpass repeats a failed reload every few seconds, which must not repeat the warning.
#[tokio::test]
async fn unavailable_optional_listener_is_reported_only_when_the_reload_succeeds() {
    let log = Log::capture();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let optional = TcpListener::bind("[::1]:0").await.unwrap();
    let optional_listener =
        format!("[[listener]]\naddress = \"localhost:{}\"\n", optional.local_addr().unwrap().port());
    let rejected = format!("{optional_listener}[[listener]]\naddress = \"{}\"\n", taken.local_addr().unwrap());
    let mut served = Served::start(&listener("")).await;
    for _ in 0..3 {
        served.listen(&rejected).await.unwrap_err();
    }
    assert_eq!(log.count("WARN", "an optional listener is not open"), 0, "{}", log.text());
    served.listen(&optional_listener).await.unwrap();
    assert_eq!(log.count("WARN", "an optional listener is not open"), 1, "{}", log.text());
}

#[test]
fn certificate_that_clients_will_reject_causes_a_warning() {
    let (files, issuer) = (Files::new(), authority());
    let names = |names: &[&str]| {
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
    };
    let warnings = |params: &CertificateParams| {
        certificate(&files, &issuer, params);
        let tls = ServerTls::read(&files.path("tls.pem"), &files.path("tls-key.pem"), None).unwrap();
        tls.certificate_warnings(WallClock::System).join("; ")
    };
    assert_eq!(warnings(&names(&["localhost"])), "");
    assert_eq!(warnings(&names(&["127.0.0.1"])), "");
    let mut expired = names(&["localhost"]);
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    assert_eq!(warnings(&expired), "the certificate has expired");
    let mut early = names(&[]);
    early.not_before = date_time_ymd(2090, 1, 1);
    early.not_after = date_time_ymd(2091, 1, 1);
    let text = warnings(&early);
    assert!(text.contains("not valid yet") && text.contains("no host name"), "{text}");
}
