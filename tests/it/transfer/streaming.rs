//! Bodies that arrive: at any pace, of any size, in parts or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use regpass::observe::image::QUIET;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::World;
use crate::harness::{Regpass, request, with};
use crate::sim::{self, Blob, Fault};
use crate::wire::{Open, connect};

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_leaves_nothing_running() {
    let world = World::start().await;
    let big = Blob::synthetic_as(1 << 40, &format!("sha256:{}", "b".repeat(64)));
    world.registry.publish_blob("acme/app", &big);
    let target = format!("/v2/acme/app/blobs/{}", big.digest);
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for fault in [None, Some(Fault::hang_mid_body(100_000)), Some(Fault::hang_after_head())] {
        let fault = fault.map(|fault| world.registry.registry().inject(fault));
        let mut open = Open::begin(&world.regpass, request(Method::GET, &target)).await;
        // Without a piece in a second where none comes.
        drop(timeout(Duration::from_secs(1), open.piece()).await);
        open.leave().await;
        sleep(Duration::from_secs(2)).await;
        assert_eq!(alive(), before + 1, "client, regpass and registry have let go; the image's line is to come");
        sleep(QUIET).await;
        assert_eq!(alive(), before);
        fault.inspect(sim::FaultHandle::lift);
    }
    assert_eq!(world.seen(), ["registry 200 whole"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_answer_leaves_nothing_running() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::hang_before_head());
    let before = Handle::current().metrics().num_alive_tasks();
    let (mut stream, serving) = connect(&world.regpass);
    stream.write_all(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", world.target).as_bytes()).await.unwrap();
    world.sim.ledger().wait_for(1).await;
    drop(stream);
    timeout(Duration::from_secs(2), serving).await.expect("the server notices").unwrap();
    sleep(Duration::from_secs(2)).await;
    // The simulated server has its own task for the request it hangs on; a closed connection ends it. What is left is
    // to tell of the image.
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 1);
    sleep(QUIET).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_waited_for() {
    let world = World::start().await;
    let mut open = Open::begin(&world.regpass, world.get()).await;
    let mut got = Vec::new();
    while let Some(piece) = open.piece().await {
        got.extend_from_slice(&piece.unwrap());
        sleep(Duration::from_secs(100)).await;
    }
    assert_eq!(sim::sha256(&got), world.blob.digest);
    assert_eq!(world.seen(), ["registry 200 whole"]);
}

#[tokio::test(start_paused = true)]
async fn parts_and_conditions_pass() {
    let world = World::start().await;
    let tag = format!("\"{}\"", world.blob.digest);
    for method in [Method::GET, Method::HEAD] {
        let known = with(request(method.clone(), &world.target), "if-none-match", &tag);
        let reply = world.regpass.send(known).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.whole), (304, 0, true), "{method}");
        assert_eq!((reply.header("etag"), reply.header("content-length")), (Some(&*tag), None));
    }
    let reply = world.regpass.send(with(world.get(), "if-none-match", "\"other\"")).await;
    world.assert_whole(&reply);
    let reply = world.regpass.send(with(world.get(), "range", "bytes=10-19")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-range")), (206, Some("bytes 10-19/200000")));
    assert_eq!(reply.header("content-length"), Some("10"));
    let reply = world.regpass.send(with(world.get(), "range", "bytes=200000-")).await;
    assert_eq!(
        (reply.verdict().as_str(), reply.header("content-range")),
        ("416 RANGE_INVALID", Some("bytes */200000"))
    );
    let same = with(with(world.get(), "range", "bytes=10-19"), "if-range", &tag);
    assert_eq!(world.regpass.send(same).await.status, 206);
    let changed = with(with(world.get(), "range", "bytes=10-19"), "if-range", "\"other\"");
    assert_eq!(world.regpass.send(changed).await.status, 200);
    world.sim.ledger().take();
    world.regpass.send(with(world.get(), "range", "bytes=0-1,5-6")).await;
    assert_eq!(world.seen(), ["registry 200 whole"]);
}

#[tokio::test(start_paused = true)]
async fn an_encoded_blob_passes_as_it_is() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::gzip());
    let reply = world.regpass.send(with(world.get(), "accept-encoding", "br")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(reply.body[..2], [0x1f, 0x8b]);
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
    assert_eq!(world.sim.ledger().take()[0].headers["accept-encoding"], "identity");
}

/// A registry in the hand, which counts what it could write.
fn endless(length: u64, written: &Arc<AtomicU64>) -> Network {
    let written = written.clone();
    Network::Memory(Arc::new(move |_host, _port| {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let written = written.clone();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            assert!(theirs.read(&mut request).await.unwrap() > 0);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            theirs.write_all(head.as_bytes()).await.unwrap();
            let mut rest = Blob::synthetic_as(length, "").slice();
            while let Some(piece) = rest.take_piece(64 * 1024) {
                if theirs.write_all(&piece).await.is_err() {
                    return;
                }
                written.fetch_add(piece.len() as u64, Ordering::AcqRel);
            }
        });
        Ok(ours)
    }))
}

#[tokio::test(start_paused = true)]
async fn a_large_blob_streams_with_bounded_buffers() {
    const LARGE: u64 = 400 << 20;
    let written = Arc::default();
    let text = "default_registry = \"reg.test\"\n[registry.\"reg.test\"]\nurl = \"http://reg.test\"";
    let regpass = Regpass::over(&endless(LARGE, &written), WallClock::tokio(Duration::ZERO), text);
    let target = format!("/v2/acme/app/blobs/sha256:{}", "c".repeat(64));
    let mut open = Open::begin(&regpass, request(Method::GET, &target)).await;
    let mut expected = Blob::synthetic_as(LARGE, "").slice();
    let (mut got, mut ahead) = (0, 0);
    while let Some(piece) = open.piece().await {
        let mut piece = piece.unwrap();
        got += piece.len() as u64;
        while !piece.is_empty() {
            let same = expected.take_piece(piece.len() as u64).expect("no more than was promised");
            assert!(piece.split_to(same.len()) == same, "the bytes are the blob's");
        }
        if got % (32 << 20) < 64 * 1024 {
            // Long enough for everything to run full.
            sleep(Duration::from_millis(10)).await;
        }
        ahead = ahead.max(written.load(Ordering::Acquire).saturating_sub(got));
    }
    assert_eq!(got, LARGE);
    assert!(ahead < 2 << 20, "{ahead} bytes were on their way");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_let_go_in_the_end() {
    let world = World::start().await;
    let big = Blob::synthetic_as(1 << 40, &format!("sha256:{}", "b".repeat(64)));
    world.registry.publish_blob("acme/app", &big);
    let before = Handle::current().metrics().num_alive_tasks();
    let (mut stream, serving) = connect(&world.regpass);
    let head = format!("GET /v2/acme/app/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", big.digest);
    stream.write_all(head.as_bytes()).await.unwrap();
    timeout(Duration::from_secs(3600), serving).await.expect("nobody holds a connection for ever").unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + 1, "which is to tell of the image");
    sleep(QUIET).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}
