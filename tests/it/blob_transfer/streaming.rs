//! Streaming of blobs: slow and vanished clients, ranges, encodings, and bounded buffers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use regpass::observe::image::QUIET_PERIOD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::start;
use crate::harness::{Regpass, request, with_header};
use crate::sim::{self, Blob, Fault};
use crate::wire::{StreamingResponse, connect};

#[tokio::test(start_paused = true)]
async fn no_task_remains_after_a_client_disconnects() {
    let setup = start().await;
    let big = Blob::synthetic_as(1 << 40, &format!("sha256:{}", "b".repeat(64)));
    setup.registry.publish_blob("acme/app", &big);
    let target = format!("/v2/acme/app/blobs/{}", big.digest);
    let before = alive_tasks();
    for fault in [None, Some(Fault::hang_mid_body(100_000)), Some(Fault::hang_after_head())] {
        let fault = fault.map(|fault| setup.registry.api().inject(fault));
        let mut open = StreamingResponse::start(&setup.regpass, request(Method::GET, &target)).await;
        // Waits for the first piece, but at most a second: after `hang_after_head` none arrives.
        drop(timeout(Duration::from_secs(1), open.next_piece()).await);
        open.disconnect().await;
        sleep(Duration::from_secs(2)).await;
        assert_only_image_task_remains(before).await;
        fault.inspect(sim::FaultHandle::remove);
    }
    assert_eq!(setup.requests(), ["registry 200 whole"; 3]);
}

#[tokio::test(start_paused = true)]
async fn no_task_remains_after_a_client_disconnects_before_the_response() {
    let setup = start().await;
    setup.registry.api().inject(Fault::hang_before_head());
    let before = alive_tasks();
    let (mut stream, serving) = connect(&setup.regpass);
    stream.write_all(format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", setup.target).as_bytes()).await.unwrap();
    setup.sim.ledger().wait_for(1).await;
    drop(stream);
    timeout(Duration::from_secs(2), serving).await.expect("regpass closes the connection").unwrap();
    // The closed connection also ends the simulator's task for the hanging request.
    sleep(Duration::from_secs(2)).await;
    assert_only_image_task_remains(before).await;
}

fn alive_tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Asserts that besides the `before` tasks only the one that will log the image is alive, and that it ends, too.
async fn assert_only_image_task_remains(before: usize) {
    assert_eq!(alive_tasks(), before + 1);
    sleep(QUIET_PERIOD).await;
    assert_eq!(alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn slow_client_receives_the_whole_blob() {
    let setup = start().await;
    let mut open = StreamingResponse::start(&setup.regpass, setup.get()).await;
    let mut received = Vec::new();
    while let Some(piece) = open.next_piece().await {
        received.extend_from_slice(&piece.unwrap());
        sleep(Duration::from_secs(100)).await;
    }
    assert_eq!(sim::sha256(&received), setup.blob.digest);
    assert_eq!(setup.requests(), ["registry 200 whole"]);
}

#[tokio::test(start_paused = true)]
async fn ranges_and_conditions_are_forwarded() {
    let setup = start().await;
    let etag = format!("\"{}\"", setup.blob.digest);
    for method in [Method::GET, Method::HEAD] {
        let known = with_header(request(method.clone(), &setup.target), "if-none-match", &etag);
        let reply = setup.regpass.send(known).await;
        assert_eq!((reply.status.as_u16(), reply.body.len(), reply.complete), (304, 0, true), "{method}");
        assert_eq!((reply.header("etag"), reply.header("content-length")), (Some(&*etag), None));
    }
    let reply = setup.regpass.send(with_header(setup.get(), "if-none-match", "\"other\"")).await;
    setup.assert_whole(&reply);
    let reply = setup.regpass.send(with_header(setup.get(), "range", "bytes=10-19")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-range")), (206, Some("bytes 10-19/200000")));
    assert_eq!(reply.header("content-length"), Some("10"));
    let reply = setup.regpass.send(with_header(setup.get(), "range", "bytes=200000-")).await;
    assert_eq!(
        (reply.status_and_code().as_str(), reply.header("content-range")),
        ("416 RANGE_INVALID", Some("bytes */200000"))
    );
    let same = with_header(with_header(setup.get(), "range", "bytes=10-19"), "if-range", &etag);
    assert_eq!(setup.regpass.send(same).await.status, 206);
    let changed = with_header(with_header(setup.get(), "range", "bytes=10-19"), "if-range", "\"other\"");
    assert_eq!(setup.regpass.send(changed).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn encoded_blob_is_forwarded_unchanged() {
    let setup = start().await;
    setup.registry.api().inject(Fault::gzip());
    let reply = setup.regpass.send(with_header(setup.get(), "accept-encoding", "br")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(reply.body[..2], [0x1f, 0x8b]);
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
    assert_eq!(setup.sim.ledger().take()[0].headers["accept-encoding"], "identity");
}

/// A registry that replies to everything with a body of `length` bytes, and counts the bytes that it could write.
fn counting_registry(length: u64, written: &Arc<AtomicU64>) -> Network {
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
async fn large_blob_is_streamed_with_bounded_buffers() {
    const LARGE: u64 = 400 << 20;
    let written = Arc::default();
    let text = "default_registry = \"reg.test\"\nverify = false\n[registry.\"reg.test\"]\nurl = \"http://reg.test\"";
    let regpass =
        Regpass::start_on_network(&counting_registry(LARGE, &written), WallClock::tokio(Duration::ZERO), text);
    let target = format!("/v2/acme/app/blobs/sha256:{}", "c".repeat(64));
    let mut open = StreamingResponse::start(&regpass, request(Method::GET, &target)).await;
    let mut expected = Blob::synthetic_as(LARGE, "").slice();
    let (mut received, mut ahead) = (0, 0);
    while let Some(piece) = open.next_piece().await {
        let mut piece = piece.unwrap();
        received += piece.len() as u64;
        while !piece.is_empty() {
            let same = expected.take_piece(piece.len() as u64).expect("more bytes than Content-Length");
            assert!(piece.split_to(same.len()) == same, "other bytes than the blob's");
        }
        if received % (32 << 20) < 64 * 1024 {
            // Gives all buffers time to fill.
            sleep(Duration::from_millis(10)).await;
        }
        ahead = ahead.max(written.load(Ordering::Acquire).saturating_sub(received));
    }
    assert_eq!(received, LARGE);
    assert!(ahead < 2 << 20, "{ahead} bytes were buffered");
}

#[tokio::test(start_paused = true)]
async fn client_that_stops_reading_is_disconnected_within_an_hour() {
    let setup = start().await;
    let big = Blob::synthetic_as(1 << 40, &format!("sha256:{}", "b".repeat(64)));
    setup.registry.publish_blob("acme/app", &big);
    let before = alive_tasks();
    let (mut stream, serving) = connect(&setup.regpass);
    let head = format!("GET /v2/acme/app/blobs/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", big.digest);
    stream.write_all(head.as_bytes()).await.unwrap();
    timeout(Duration::from_secs(3600), serving).await.expect("the connection is closed").unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_only_image_task_remains(before).await;
}
