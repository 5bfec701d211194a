//! Registries that are silent, slow, gone or mad.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request};
use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, advance, sleep};

use super::{TAGS, assert_outage, at, registry, two};
use crate::harness::{Regpass, request, table};
use crate::sim::{Family, Fault, Image, Mode, Preset, Reply, Sim};

#[tokio::test]
async fn pooled_connections_that_died_fail_no_read() {
    let sim = Sim::loopback();
    let (one, _, regpass) = two(&sim).await;
    one.registry().inject(Fault::close_after_answer());
    let regpass = Arc::new(regpass);
    for _ in 0..100 {
        let ten = join_all((0..10).map(|_| regpass.get(TAGS))).await;
        assert!(ten.iter().all(|reply| reply.status == 200), "{ten:?}");
    }
    assert_eq!(sim.ledger().take().len(), 1000, "nothing was answered twice");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_was_cut_is_sent_again_and_a_write_never_is() {
    for (method, again) in [(Method::GET, true), (Method::HEAD, true), (Method::PUT, false)] {
        let sim = Sim::memory();
        let (one, _, regpass) = two(&sim).await;
        assert_eq!(regpass.get(TAGS).await.status, 200);
        sim.ledger().take();
        one.registry().inject(Fault::hang_before_head().times(1));
        let body = if again { Bytes::new() } else { Bytes::from_static(b"{}") };
        let target = "/v2/acme/app/manifests/1";
        let asked =
            Request::builder().method(method.clone()).uri(target).header("host", "localhost").body(body).unwrap();
        let cut = async {
            sim.ledger().wait_for(1).await;
            one.registry().cut_connections();
        };
        let (reply, ()) = tokio::join!(regpass.send(asked), cut);
        assert_eq!(reply.status, if again { 200 } else { 502 }, "{method}");
        assert_eq!(sim.ledger().take().len(), if again { 2 } else { 1 }, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_every_connection_is_tried_thrice() {
    let sim = Sim::memory();
    let (one, _, regpass) = two(&sim).await;
    one.registry().inject(Fault::close_on_accept());
    assert_outage(&regpass.get(TAGS).await, 502, "one.example");
    assert_eq!(sim.network().dials().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_not_there_is_named() {
    let sim = Sim::memory();
    let regpass = Regpass::start(&sim, &at("http://gone.test"));
    let reply = regpass.get(TAGS).await;
    assert_outage(&reply, 502, "gone.example");
    assert!(reply.error().1.contains("does not accept connections"), "{reply:?}");
    assert_eq!(regpass.head(TAGS).await.status, 502);
    assert_eq!(sim.network().dials(), ["gone.test:80", "gone.test:80"], "one try each");
    assert_eq!(regpass.get("/v2/").await.status, 200, "the ping needs nobody");
}

#[tokio::test(start_paused = true)]
async fn silence_has_an_end_and_the_end_names_the_registry() {
    for (fault, seconds) in
        [(Fault::hang_on_accept(), 30), (Fault::hang_before_head(), 30), (Fault::delay(Duration::from_secs(31)), 30)]
    {
        let sim = Sim::memory();
        let (one, _, regpass) = two(&sim).await;
        one.registry().inject(fault);
        let began = Instant::now();
        let reply = regpass.get(TAGS).await;
        assert_outage(&reply, 504, "one.example");
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    // A TLS handshake is part of connecting.
    let sim = Sim::memory();
    let silent = registry(&sim, "silent").await;
    silent.registry().inject(Fault::hang_on_accept());
    let regpass = Regpass::start(&sim, &at("https://silent.test:80"));
    let began = Instant::now();
    let reply = regpass.get(TAGS).await;
    assert_outage(&reply, 504, "gone.example");
    assert!(reply.error().1.contains("no connection within 5 s"), "{reply:?}");
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn retries_included_a_client_hears_something_within_forty_seconds() {
    let sim = Sim::memory();
    let slow = sim.start(Preset::distribution(Mode::Token)).await;
    slow.publish("acme/app", "1", &Image::single("app", Family::Docker));
    let regpass =
        Regpass::start(&sim, &format!("default_registry = \"one.example\"\n{}", table("one.example", &slow, "")));
    for (registry, token) in [(25, 0), (25, 9), (0, 11)] {
        slow.registry().lift_faults();
        slow.token().lift_faults();
        slow.revoke_tokens();
        slow.registry().inject(Fault::delay(Duration::from_secs(registry)));
        slow.token().inject(Fault::delay(Duration::from_secs(token)));
        let began = Instant::now();
        let reply = regpass.get(TAGS).await;
        assert_eq!(reply.status, 504, "{registry} {token}: {reply:?}");
        assert!(reply.error().1.contains("one.example"), "{reply:?}");
        assert!(began.elapsed() <= Duration::from_millis(40_100), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_registry_is_left_alone_for_a_while_and_tried_again() {
    let sim = Sim::memory();
    let other = registry(&sim, "other").await;
    let text = format!("{}\n{}", at("http://late.test"), table("other.example", &other, "alias = \"other\""));
    let regpass = Regpass::start(&sim, &text);
    let dials = || sim.network().dials().iter().filter(|dial| dial.starts_with("late")).count();
    for _ in 0..3 {
        assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    }
    let reply = regpass.get(TAGS).await;
    assert_outage(&reply, 502, "gone.example");
    assert_eq!((reply.header("retry-after"), dials()), (Some("1"), 3), "nobody was asked");
    assert!(reply.error().1.contains("3 times in a row"), "{reply:?}");
    assert_eq!(regpass.get("/v2/other/acme/app/tags/list").await.status, 200, "the other one is well");

    // One is let through after a second, and fails; two seconds from then, another.
    advance(Duration::from_millis(1001)).await;
    assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    assert_eq!(dials(), 4);
    advance(Duration::from_millis(1500)).await;
    assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    registry(&sim, "late").await;
    advance(Duration::from_millis(501)).await;
    for _ in 0..5 {
        assert_eq!(regpass.get(TAGS).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_an_answer_however_bad() {
    let sim = Sim::memory();
    let (one, _, regpass) = two(&sim).await;
    let busy = |status| Reply::new(status).text("x").header("retry-after", "60");
    for fault in [Fault::answer(busy(503)), Fault::text(500, "x"), Fault::answer(busy(429))] {
        let fault = one.registry().inject(fault);
        for _ in 0..5 {
            regpass.get(TAGS).await;
        }
        assert_eq!(sim.ledger().take().len(), 5, "no circuit opens, and nothing is tried again");
        fault.lift();
    }
    assert_eq!(regpass.get(TAGS).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_registry_slows_no_other() {
    let sim = Sim::memory();
    let (one, _, regpass) = two(&sim).await;
    for target in [TAGS, "/v2/other/acme/app/tags/list"] {
        assert_eq!(regpass.get(target).await.status, 200);
    }
    one.registry().inject(Fault::delay(Duration::from_secs(25)));
    let began = Instant::now();
    let slow = async {
        let replies = join_all((0..100).map(|_| regpass.get(TAGS))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
        assert_eq!(began.elapsed().as_secs(), 25, "and they do not queue behind each other");
    };
    let fast = async {
        sleep(Duration::from_secs(1)).await;
        for _ in 0..100 {
            assert_eq!(regpass.get("/v2/other/acme/app/tags/list").await.status, 200);
        }
        assert_eq!(began.elapsed().as_secs(), 1);
    };
    tokio::join!(slow, fast);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_first_requests_to_a_silent_registry_all_hear_something() {
    let sim = Sim::memory();
    let (one, _, regpass) = two(&sim).await;
    one.registry().inject(Fault::hang_on_accept());
    let began = Instant::now();
    let replies = join_all((0..100).map(|_| regpass.get(TAGS))).await;
    assert!(replies.iter().all(|reply| matches!(reply.status.as_u16(), 503 | 504)));
    assert!(began.elapsed().as_secs() <= 40);
}

/// A registry that says the same to everybody, whatever it is, and closes.
fn saying(answer: Vec<u8>) -> Regpass {
    let network = Network::Memory(Arc::new(move |_host, _port| {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let answer = answer.clone();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            drop(theirs.read(&mut request).await);
            drop(theirs.write_all(&answer).await);
        });
        Ok(ours)
    }));
    Regpass::over(&network, WallClock::tokio(Duration::ZERO), &at("http://gone.test"))
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_no_answer() {
    let many = "X: y\r\n".repeat(500);
    for answer in [
        String::new(),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "220 mail.example ESMTP\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
        "HTTP/1.1 999999 OK\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(1 << 20)),
        "\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned(),
    ] {
        let reply = saying(answer.clone().into_bytes()).get(TAGS).await;
        assert_outage(&reply, 502, "gone.example");
        assert!(reply.body.len() < 1000, "{answer:.40}: {reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn interim_answers_are_waited_through_and_odd_ones_told() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let reply = saying(format!("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{ok}").into_bytes()).get(TAGS).await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"{}"[..]));
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    assert_eq!(saying(switching.into()).get(TAGS).await.status, 502);
    // Chunked beats a length beside it, and the client is told one of them only.
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let reply = saying(both.into()).get("/v2/acme/app/manifests/1").await;
    assert!(reply.status == 502 || (reply.status == 200 && &*reply.body == b"{}"), "{reply:?}");
    let reply = saying("HTTP/1.0 200 OK\r\n\r\n{}".into()).send(request(Method::GET, TAGS)).await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"{}"[..]));
}

#[tokio::test(start_paused = true)]
async fn first_requests_to_a_slow_registry_do_not_queue_behind_each_other() {
    let sim = Sim::memory();
    let (one, _, regpass) = two(&sim).await;
    one.registry().inject(Fault::delay(Duration::from_secs(25)));
    let began = Instant::now();
    let replies = join_all((0..100).map(|_| regpass.get(TAGS))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
