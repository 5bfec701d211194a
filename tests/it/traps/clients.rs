//! Clients that say nothing, or too little, too slowly.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use super::two;
use crate::sim::Sim;
use crate::wire::connect;

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_head_is_cut_after_a_minute() {
    let sim = Sim::memory();
    let (_, _, regpass) = two(&sim).await;
    for begun in ["", "P", "GET /v2/ HT", "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n"] {
        let (mut stream, serving) = connect(&regpass);
        let began = Instant::now();
        stream.write_all(begun.as_bytes()).await.unwrap();
        timeout(Duration::from_secs(61), serving).await.unwrap_or_else(|_| panic!("{begun:?} stays")).unwrap();
        assert_eq!(began.elapsed().as_secs(), 60, "{begun:?}");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answer));
    }
    assert!(sim.network().dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_cut_all_the_same() {
    let sim = Sim::memory();
    let (_, _, regpass) = two(&sim).await;
    let (mut stream, serving) = connect(&regpass);
    let began = Instant::now();
    let dripping = tokio::spawn(async move {
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        while stream.write_all(b"X: y\r\n").await.is_ok() {
            sleep(Duration::from_secs(7)).await;
        }
    });
    timeout(Duration::from_secs(100), serving).await.expect("the deadline is for the whole head").unwrap();
    assert_eq!(began.elapsed().as_secs(), 60);
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_minute() {
    let sim = Sim::memory();
    let (_, _, regpass) = two(&sim).await;
    let (mut stream, serving) = connect(&regpass);
    let mut answer = [0; 4096];
    for _ in 0..3 {
        sleep(Duration::from_secs(50)).await;
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut answer).await.unwrap() > 100, "kept alive");
    }
    let began = Instant::now();
    timeout(Duration::from_secs(61), serving).await.expect("closed").unwrap();
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_small_body_that_does_not_come_is_the_clients_fault() {
    let sim = Sim::memory();
    let (_, _, regpass) = two(&sim).await;
    for drip in [false, true] {
        let (mut stream, _serving) = connect(&regpass);
        let began = Instant::now();
        let head = "PUT /v2/acme/app/manifests/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nabc";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        loop {
            match timeout(Duration::from_secs(8), stream.read(&mut answer)).await {
                Ok(read) => break answer.truncate(read.unwrap()),
                Err(_) if drip => stream.write_all(b"d").await.unwrap(),
                Err(_) => {}
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"blame\":\"client\""), "{drip}: {answer}");
        assert_eq!(began.elapsed().as_secs(), 30);
    }
    assert!(sim.network().dials().is_empty());
}
