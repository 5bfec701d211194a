//! Listeners that change while they are open: the socket stays, and what is new meets the new rules.

use http::Request;
use http_body_util::Full;
use rcgen::{CertificateParams, date_time_ymd};
use regpass::base::clock::WallClock;
use regpass::net::server_tls::ServerTls;
use tokio::net::TcpListener;

use super::certificates::{authority, certificate, tls};
use super::network::{Served, TlsClient, absolute, exchange, http2, whole};
use super::{Files, PASSWORD, TAGS, basic, get};
use crate::log::Log;

/// The system chooses the port once; an address that stays as it is written keeps its socket.
fn listener(keys: &str) -> String {
    format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{keys}\n")
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_a_broken_one_is_not_taken() {
    let (files, old, new) = (Files::new(), authority(), authority());
    let keys = tls(&files, &old);
    let mut served = Served::start(&listener(&keys)).await;
    let address = served.address();
    let (of_old, of_new) = (TlsClient::of(old.der()), TlsClient::of(new.der()));
    assert_eq!(of_old.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    let open = of_old.connect(served.tcp().await).await.unwrap();

    files.write("tls.pem", "no certificate");
    let refused = served.listen(&listener(&keys)).await.unwrap_err();
    assert!(refused.contains("listener.tls") && refused.contains("tls.pem"), "{refused}");
    assert_eq!(of_old.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);

    tls(&files, &new);
    served.listen(&listener(&keys)).await.unwrap();
    assert!(of_old.send(served.tcp().await, get(TAGS, None)).await.is_err());
    assert_eq!(of_new.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    assert_eq!(served.address(), address);
    // Who connected before finishes what it is at.
    let last = exchange(open, get(TAGS, None), false).await;
    assert_eq!((last.status.as_u16(), last.header("connection")), (200, Some("close")));
}

#[tokio::test]
async fn a_connection_of_http2_goes_away_and_loses_nothing() {
    let (files, issuer) = (Files::new(), authority());
    let keys = tls(&files, &issuer);
    let mut served = Served::start(&listener(&keys)).await;
    let client = TlsClient::of(issuer.der()).offering(&["h2"]);
    let mut sender = http2(client.connect(served.tcp().await).await.unwrap()).await;
    let ask = || -> Request<Full<_>> { absolute(get(TAGS, None)).map(Full::new) };
    assert_eq!(whole(sender.send_request(ask()).await.unwrap()).await.status, 200);
    let under_way = sender.send_request(ask());
    served.listen(&listener(&format!("{keys}\nhosts = [\"other\"]"))).await.unwrap();
    assert_eq!(whole(under_way.await.unwrap()).await.status, 200);
    // Told that it is over, the client opens another connection.
    while sender.ready().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.send(served.tcp().await, get(TAGS, None)).await.unwrap().status, 200);
    served.stop().await;
}

#[tokio::test]
async fn a_rule_that_comes_holds_for_the_next_connection_and_keeps_what_it_knows() {
    let files = Files::new();
    let mut served = Served::start(&listener("")).await;
    let status = async |served: &Served, login: Option<&str>| {
        exchange(served.tcp().await, get(TAGS, login), false).await.status.as_u16()
    };
    assert_eq!(status(&served, None).await, 200);
    let rule = files.htpasswd(&[("alice", PASSWORD)]);
    served.listen(&listener(&rule)).await.unwrap();
    let login = basic("alice", PASSWORD);
    assert_eq!((status(&served, None).await, status(&served, Some(&login)).await), (401, 200));
    // A list that breaks is no reason to forget what it said, also where the listener changes for another reason.
    files.write("htpasswd", "nonsense");
    let refused = served.listen(&listener(&format!("{rule}\nhosts = [\"other\"]"))).await.unwrap_err();
    assert!(refused.contains("listener.clients.htpasswd") && refused.contains("line 1"), "{refused}");
    assert_eq!((status(&served, None).await, status(&served, Some(&login)).await), (401, 200));
    served.listen(&listener("")).await.unwrap();
    assert_eq!(status(&served, None).await, 200);
}

#[tokio::test]
async fn one_of_two_changes_and_the_other_is_not_touched() {
    let mut served = Served::start(&(listener("") + &listener("hosts = [\"two\"]"))).await;
    let before = served.addresses();
    served.listen(&(listener("hosts = [\"one\"]") + &listener("hosts = [\"two\"]"))).await.unwrap();
    let mut after = served.addresses();
    assert!(after.iter().all(|address| before.contains(address)), "{before:?} {after:?}");
    after.dedup();
    assert_eq!(after.len(), 2, "each has its socket: {after:?}");
    for (address, host) in [(before[0], "one"), (before[1], "two")] {
        let mut request = get(TAGS, None);
        request.headers_mut().insert("host", host.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        assert_eq!(exchange(stream, request, false).await.status, 200, "{host}");
    }
}

/// What cannot be put in force is tried again every few seconds.
#[tokio::test]
async fn an_optional_address_that_is_taken_is_told_of_once_the_rest_is_open() {
    let log = Log::listen();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let optional = TcpListener::bind("[::1]:0").await.unwrap();
    let both = format!("[[listener]]\naddress = \"localhost:{}\"\n", optional.local_addr().unwrap().port());
    let refused = format!("{both}[[listener]]\naddress = \"{}\"\n", taken.local_addr().unwrap());
    let mut served = Served::start(&listener("")).await;
    for _ in 0..3 {
        served.listen(&refused).await.unwrap_err();
    }
    assert_eq!(log.count("WARN", "an optional listener is not open"), 0, "{}", log.text());
    served.listen(&both).await.unwrap();
    assert_eq!(log.count("WARN", "an optional listener is not open"), 1, "{}", log.text());
}

#[test]
fn a_certificate_that_clients_will_not_like_is_remarked_upon() {
    let (files, issuer) = (Files::new(), authority());
    let names = |names: &[&str]| {
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
    };
    let remarks = |params: &CertificateParams| {
        certificate(&files, &issuer, params);
        let tls = ServerTls::read(&files.path("tls.pem"), &files.path("tls-key.pem"), None).unwrap();
        tls.remarks(WallClock::System).join("; ")
    };
    assert_eq!(remarks(&names(&["localhost"])), "");
    assert_eq!(remarks(&names(&["127.0.0.1"])), "");
    let mut expired = names(&["localhost"]);
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    assert_eq!(remarks(&expired), "it has expired");
    let mut early = names(&[]);
    early.not_before = date_time_ymd(2090, 1, 1);
    early.not_after = date_time_ymd(2091, 1, 1);
    let said = remarks(&early);
    assert!(said.contains("not valid yet") && said.contains("for no host name"), "{said}");
}
