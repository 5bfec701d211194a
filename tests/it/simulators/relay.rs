//! The slow line.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::sim::{Pace, Relay};

/// A server that answers with what it has read, after all of it.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(&all).await.unwrap();
            });
        }
    });
    address
}

async fn send(relay: &Relay, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(relay.authority()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test]
async fn bytes_arrive_whole_and_no_faster_than_the_line() {
    let bytes: Vec<u8> = (0..50_000).map(|_| fastrand::u8(..)).collect();
    let rate = Some(250_000);
    for (pace, connections, least) in [
        (Pace::default(), 1, 0),
        (Pace { up: rate, ..Pace::default() }, 1, 200),
        (Pace { down: rate, ..Pace::default() }, 1, 200),
        (Pace { up: rate, down: rate, ..Pace::default() }, 2, 600),
        (Pace { round_trip: Duration::from_millis(100), ..Pace::default() }, 2, 100),
    ] {
        let relay = Relay::start(&echo().await, pace);
        let started = Instant::now();
        let sent = (0..connections).map(|_| send(&relay, &bytes));
        for came in futures_util::future::join_all(sent).await {
            assert!(came == bytes, "{pace:?}: {} bytes came back", came.len());
        }
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(least) && took < Duration::from_secs(20), "{pace:?} took {took:?}");
    }
}

#[tokio::test]
async fn a_sender_feels_a_slow_line_and_a_dead_one() {
    let relay = Relay::start(&echo().await, Pace { up: Some(10_000), ..Pace::default() });
    let mut stream = TcpStream::connect(relay.authority()).await.unwrap();
    let all = vec![7; 64 << 20];
    let write = stream.write_all(&all);
    assert!(tokio::time::timeout(Duration::from_millis(300), write).await.is_err(), "no buffer takes it all");
    drop(relay);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap();
    assert!(end.is_err() || rest.is_empty(), "the connection ends with the relay");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let relay = Relay::start(&nobody, Pace::default());
    let mut stream = TcpStream::connect(relay.authority()).await.unwrap();
    assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)), "nobody is behind the relay");
}
