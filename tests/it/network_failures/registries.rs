//! Registries that are silent, slow, unreachable, or reply with something else than HTTP.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, advance, sleep};

use super::{TAGS, assert_outage, config_at, start_registry, start_two};
use crate::harness::{Regpass, registry_table, request};
use crate::log::Log;
use crate::sim::{self, AuthMode, Fault, Image, ImageFormat, Preset, Reply, Sim};

#[tokio::test]
async fn closed_pooled_connections_fail_no_read() {
    let sim = Sim::loopback();
    let (one, _, regpass) = start_two(&sim).await;
    one.api().inject(Fault::close_after_answer());
    let regpass = Arc::new(regpass);
    for _ in 0..100 {
        let ten = join_all((0..10).map(|_| regpass.get(TAGS))).await;
        assert!(ten.iter().all(|reply| reply.status == 200), "{ten:?}");
    }
    assert_eq!(sim.ledger().take().len(), 1000, "no request was answered twice");
}

#[tokio::test(start_paused = true)]
async fn registry_that_closes_every_connection_is_502_after_three_attempts() {
    let sim = Sim::memory();
    let (one, _, regpass) = start_two(&sim).await;
    one.api().inject(Fault::close_on_accept());
    assert_outage(&regpass.get(TAGS).await, 502, "one.example");
    assert_eq!(sim.network().dials().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn unreachable_registry_is_502_and_named() {
    let sim = Sim::memory();
    let regpass = Regpass::start(&sim, &config_at("http://gone.test"));
    let reply = regpass.get(TAGS).await;
    assert_outage(&reply, 502, "gone.example");
    assert!(reply.error().1.contains("connection refused"), "{reply:?}");
    assert_eq!(regpass.head(TAGS).await.status, 502);
    assert_eq!(sim.network().dials(), ["gone.test:80", "gone.test:80"], "one attempt per request");
    assert_eq!(regpass.get("/v2/").await.status, 200, "regpass answers the ping itself");
}

#[tokio::test(start_paused = true)]
async fn silent_registry_is_504_after_its_timeout() {
    for (fault, seconds) in
        [(Fault::hang_on_accept(), 30), (Fault::hang_before_head(), 30), (Fault::delay(Duration::from_secs(31)), 30)]
    {
        let sim = Sim::memory();
        let (one, _, regpass) = start_two(&sim).await;
        one.api().inject(fault);
        let started = Instant::now();
        let reply = regpass.get(TAGS).await;
        assert_outage(&reply, 504, "one.example");
        assert_eq!(started.elapsed().as_secs(), seconds);
    }
    // A TLS handshake is part of connecting, which has a shorter time limit.
    let sim = Sim::memory();
    let silent = start_registry(&sim, "silent").await;
    silent.api().inject(Fault::hang_on_accept());
    let regpass = Regpass::start(&sim, &config_at("https://silent.test:80"));
    let started = Instant::now();
    let reply = regpass.get(TAGS).await;
    assert_outage(&reply, 504, "gone.example");
    assert!(reply.error().1.contains("no connection within 5 s"), "{reply:?}");
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn client_is_answered_within_forty_seconds_including_retries() {
    let sim = Sim::memory();
    let slow = sim.start(Preset::distribution(AuthMode::Token)).await;
    slow.publish("acme/app", "1", &Image::single("app", ImageFormat::Docker));
    let regpass = Regpass::start(
        &sim,
        &format!("default_registry = \"one.example\"\n{}", registry_table("one.example", &slow, "")),
    );
    for (registry, token) in [(25, 0), (25, 9), (0, 11)] {
        slow.api().clear_faults();
        slow.token_service().clear_faults();
        slow.revoke_tokens();
        slow.api().inject(Fault::delay(Duration::from_secs(registry)));
        slow.token_service().inject(Fault::delay(Duration::from_secs(token)));
        let started = Instant::now();
        let reply = regpass.get(TAGS).await;
        assert_eq!(reply.status, 504, "{registry} {token}: {reply:?}");
        assert!(reply.error().1.contains("one.example"), "{reply:?}");
        assert!(started.elapsed() <= Duration::from_millis(40_100), "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn circuit_opens_after_three_failures_and_lets_single_requests_through() {
    let sim = Sim::memory();
    let other = start_registry(&sim, "other").await;
    let text =
        format!("{}\n{}", config_at("http://late.test"), registry_table("other.example", &other, "alias = \"other\""));
    let regpass = Regpass::start(&sim, &text);
    let dials = || sim.network().dials().iter().filter(|dial| dial.starts_with("late")).count();
    for _ in 0..3 {
        assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    }
    let reply = regpass.get(TAGS).await;
    assert_outage(&reply, 502, "gone.example");
    assert_eq!((reply.header("retry-after"), dials()), (Some("1"), 3), "the registry is not dialled");
    assert!(reply.error().1.contains("3 failures in a row"), "{reply:?}");
    assert_eq!(regpass.get("/v2/other/acme/app/tags/list").await.status, 200, "the other registry works");

    // One request is let through after a second, and fails; two seconds later, the next one.
    advance(Duration::from_millis(1001)).await;
    assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    assert_eq!(dials(), 4);
    advance(Duration::from_millis(1500)).await;
    assert_outage(&regpass.get(TAGS).await, 502, "gone.example");
    start_registry(&sim, "late").await;
    advance(Duration::from_millis(501)).await;
    for _ in 0..5 {
        assert_eq!(regpass.get(TAGS).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn error_replies_open_no_circuit_and_are_not_retried() {
    let sim = Sim::memory();
    let (one, _, regpass) = start_two(&sim).await;
    let busy = |status| Reply::new(status).text("x").header("retry-after", "60");
    for fault in [Fault::answer(busy(503)), Fault::text(500, "x"), Fault::answer(busy(429))] {
        let fault = one.api().inject(fault);
        for _ in 0..5 {
            regpass.get(TAGS).await;
        }
        assert_eq!(sim.ledger().take().len(), 5, "no circuit opens, and nothing is retried");
        fault.remove();
    }
    assert_eq!(regpass.get(TAGS).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn slow_registry_does_not_delay_another() {
    let sim = Sim::memory();
    let (one, _, regpass) = start_two(&sim).await;
    for target in [TAGS, "/v2/other/acme/app/tags/list"] {
        assert_eq!(regpass.get(target).await.status, 200);
    }
    one.api().inject(Fault::delay(Duration::from_secs(25)));
    let started = Instant::now();
    let slow = async {
        let replies = join_all((0..100).map(|_| regpass.get(TAGS))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
        assert_eq!(started.elapsed().as_secs(), 25, "the requests do not queue behind each other");
    };
    let fast = async {
        sleep(Duration::from_secs(1)).await;
        for _ in 0..100 {
            assert_eq!(regpass.get("/v2/other/acme/app/tags/list").await.status, 200);
        }
        assert_eq!(started.elapsed().as_secs(), 1);
    };
    tokio::join!(slow, fast);
}

#[tokio::test(start_paused = true)]
async fn simultaneous_first_requests_to_a_silent_registry_are_all_answered() {
    let sim = Sim::memory();
    let (one, _, regpass) = start_two(&sim).await;
    one.api().inject(Fault::hang_on_accept());
    let started = Instant::now();
    let replies = join_all((0..100).map(|_| regpass.get(TAGS))).await;
    assert!(replies.iter().all(|reply| matches!(reply.status.as_u16(), 503 | 504)));
    assert!(started.elapsed().as_secs() <= 40);
}

/// regpass in front of a registry that replies to every connection with these bytes and closes it.
fn start_with_response(response: Vec<u8>) -> Regpass {
    let network = Network::Memory(Arc::new(move |_host, _port| {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let response = response.clone();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            drop(theirs.read(&mut request).await);
            drop(theirs.write_all(&response).await);
        });
        Ok(ours)
    }));
    Regpass::start_on_network(&network, WallClock::tokio(Duration::ZERO), &config_at("http://gone.test"))
}

#[tokio::test(start_paused = true)]
async fn malformed_response_is_502() {
    let many = "X: y\r\n".repeat(500);
    for response in [
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
        let reply = start_with_response(response.clone().into_bytes()).get(TAGS).await;
        assert_outage(&reply, 502, "gone.example");
        assert!(reply.body.len() < 1000, "{response:.40}: {reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_equal_lengths_are_one_and_different_ones_are_502() {
    let log = Log::capture();
    let blob = format!("/v2/acme/app/blobs/{}", sim::sha256(b"{}"));
    for (lines, length) in [
        ("Content-Length: 2, 2\r\n", Some("2")),
        ("Content-Length: 2\r\nContent-Length: 2\r\n", Some("2")),
        ("Content-Length: 2, 3\r\n", None),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", None),
        ("Content-Length: two\r\n", None),
    ] {
        let response = format!("HTTP/1.1 200 OK\r\n{lines}\r\n{{}}");
        for (method, target) in [(Method::GET, &*blob), (Method::HEAD, &blob), (Method::GET, TAGS)] {
            let regpass = start_with_response(response.clone().into_bytes());
            let reply = regpass.send(request(method.clone(), target)).await;
            match length {
                Some(length) => {
                    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some(length)), "{lines}");
                    assert_eq!(
                        (reply.complete, &*reply.body),
                        (true, if method == Method::GET { b"{}" } else { &b""[..] })
                    );
                }
                None if method == Method::HEAD => assert_eq!(reply.status, 502, "{lines}"),
                None => {
                    assert_outage(&reply, 502, "gone.example");
                    assert!(reply.error().1.contains("not valid HTTP"), "{reply:?}");
                }
            }
        }
    }
    let statuses: Vec<_> = log.events("request").iter().map(|event| event["status"].clone()).collect();
    assert_eq!(statuses, [vec![200; 6], vec![502; 9]].concat());
}

#[tokio::test(start_paused = true)]
async fn interim_responses_are_skipped() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let reply =
        start_with_response(format!("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{ok}").into_bytes()).get(TAGS).await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"{}"[..]));
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    assert_eq!(start_with_response(switching.into()).get(TAGS).await.status, 502);
    // With both framings chunked counts, or the response is rejected.
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let reply = start_with_response(both.into()).get("/v2/acme/app/manifests/1").await;
    assert!(reply.status == 502 || (reply.status == 200 && &*reply.body == b"{}"), "{reply:?}");
    let reply = start_with_response(both.into()).get(TAGS).await;
    assert_eq!((reply.status.as_u16(), reply.complete, &*reply.body), (200, true, &b"{}"[..]), "{reply:?}");
    let reply = start_with_response("HTTP/1.0 200 OK\r\n\r\n{}".into()).send(request(Method::GET, TAGS)).await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, &b"{}"[..]));
}

#[tokio::test(start_paused = true)]
async fn simultaneous_first_requests_to_a_slow_registry_do_not_queue() {
    let sim = Sim::memory();
    let (one, _, regpass) = start_two(&sim).await;
    one.api().inject(Fault::delay(Duration::from_secs(25)));
    let started = Instant::now();
    let replies = join_all((0..100).map(|_| regpass.get(TAGS))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
