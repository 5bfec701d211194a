//! Clients that send nothing, or not enough, or too slowly.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::start_two;
use crate::sim::Sim;
use crate::wire::connect;

#[tokio::test(start_paused = true)]
async fn incomplete_request_head_is_closed_after_a_minute() {
    let sim = Sim::memory();
    let (_, _, regpass) = start_two(&sim).await;
    for sent in ["", "P", "GET /v2/ HT", "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n"] {
        let (mut stream, serving) = connect(&regpass);
        let started = Instant::now();
        stream.write_all(sent.as_bytes()).await.unwrap();
        timeout(Duration::from_secs(61), serving)
            .await
            .unwrap_or_else(|_| panic!("{sent:?}: the connection stays open"))
            .unwrap();
        assert_eq!(started.elapsed().as_secs(), 60, "{sent:?}");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        assert!(
            response.is_empty() || response.starts_with(b"HTTP/1.1 408"),
            "{:?}",
            String::from_utf8_lossy(&response)
        );
    }
    assert!(sim.network().dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn request_head_that_arrives_slowly_is_closed_after_a_minute() {
    let sim = Sim::memory();
    let (_, _, regpass) = start_two(&sim).await;
    let (mut stream, serving) = connect(&regpass);
    let started = Instant::now();
    let dripping = tokio::spawn(async move {
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        while stream.write_all(b"X: y\r\n").await.is_ok() {
            sleep(Duration::from_secs(7)).await;
        }
    });
    timeout(Duration::from_secs(100), serving).await.expect("the deadline covers the whole head").unwrap();
    assert_eq!(started.elapsed().as_secs(), 60);
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn idle_connection_is_closed_after_a_minute() {
    let sim = Sim::memory();
    let (_, _, regpass) = start_two(&sim).await;
    let (mut stream, serving) = connect(&regpass);
    let mut response = [0; 4096];
    for _ in 0..3 {
        sleep(Duration::from_secs(50)).await;
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut response).await.unwrap() > 100, "the connection is kept alive");
    }
    let started = Instant::now();
    timeout(Duration::from_secs(61), serving).await.expect("the idle connection is closed within 61 s").unwrap();
    assert_eq!(started.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn small_body_that_does_not_arrive_is_408() {
    let sim = Sim::memory();
    let (_, _, regpass) = start_two(&sim).await;
    for drip in [false, true] {
        let (mut stream, _serving) = connect(&regpass);
        let started = Instant::now();
        let head = "PUT /v2/acme/app/manifests/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nabc";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = vec![0; 4096];
        loop {
            match timeout(Duration::from_secs(8), stream.read(&mut response)).await {
                Ok(read) => break response.truncate(read.unwrap()),
                Err(_) if drip => stream.write_all(b"d").await.unwrap(),
                Err(_) => {}
            }
        }
        let response = String::from_utf8_lossy(&response);
        assert!(
            response.starts_with("HTTP/1.1 408") && response.contains("\"blame\":\"client\""),
            "{drip}: {response}"
        );
        assert_eq!(started.elapsed().as_secs(), 30);
    }
    // The registry was asked for its challenge, but got no part of the manifest.
    assert_eq!(sim.ledger().count("registry", |entry| entry.path != "/v2/"), 0);
}
