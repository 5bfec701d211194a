//! The relay that simulates a slow link.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::sim::{LinkSpeed, Relay};

/// Starts a server that sends back everything it has read once the client has sent all. Returns its address.
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
async fn relay_delivers_all_bytes_no_faster_than_its_speed() {
    let bytes: Vec<u8> = (0..50_000).map(|_| fastrand::u8(..)).collect();
    let rate = Some(250_000);
    for (speed, connections, least) in [
        (LinkSpeed::default(), 1, 0),
        (LinkSpeed { up: rate, ..LinkSpeed::default() }, 1, 200),
        (LinkSpeed { down: rate, ..LinkSpeed::default() }, 1, 200),
        (LinkSpeed { up: rate, down: rate, ..LinkSpeed::default() }, 2, 600),
        (LinkSpeed { round_trip: Duration::from_millis(100), ..LinkSpeed::default() }, 2, 100),
    ] {
        let relay = Relay::start(&echo().await, speed);
        let started = Instant::now();
        let sent = (0..connections).map(|_| send(&relay, &bytes));
        for echoed in futures_util::future::join_all(sent).await {
            assert!(echoed == bytes, "{speed:?}: {} bytes came back", echoed.len());
        }
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(least) && took < Duration::from_secs(20), "{speed:?} took {took:?}");
    }
}

#[tokio::test]
async fn slow_relay_blocks_the_sender_and_a_stopped_one_ends_the_connection() {
    let relay = Relay::start(&echo().await, LinkSpeed { up: Some(10_000), ..LinkSpeed::default() });
    let mut stream = TcpStream::connect(relay.authority()).await.unwrap();
    let all = vec![7; 64 << 20];
    let write = stream.write_all(&all);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), write).await.is_err(),
        "the buffers do not hold everything"
    );
    drop(relay);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap();
    assert!(end.is_err() || rest.is_empty(), "dropping the relay ends the connection");
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let relay = Relay::start(&unused, LinkSpeed::default());
    let mut stream = TcpStream::connect(relay.authority()).await.unwrap();
    assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)), "there is no server behind the relay");
}
