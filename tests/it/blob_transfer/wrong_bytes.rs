//! Blobs whose bytes are not those of their digest, parts of other blobs, and other ranges than the requested one: none of
//! them arrives as a complete answer.

use super::{SIZE, start, start_with};
use crate::blob_download::BlobDownload;
use crate::harness::with_header;
use crate::sim::{self, AuthMode, Blob, Fault, Hop, HopTarget, Preset, Sim};

/// Another blob with the same number of bytes.
fn other() -> Blob {
    Blob::random(7, SIZE)
}

fn whole_answer() -> sim::Reply {
    sim::Reply::new(200).slice("application/octet-stream", other().slice())
}

fn has_range(entry: &sim::Entry) -> bool {
    entry.headers.contains_key("range")
}

#[tokio::test(start_paused = true)]
async fn blob_with_other_bytes_ends_as_a_broken_transfer() {
    let direct = Preset::distribution(AuthMode::Open);
    let redirected = direct.clone().blob_hops(&[Hop::new(307, HopTarget::BlobStore)]);
    for (preset, is_redirected) in [(direct, false), (redirected, true)] {
        let setup = start_with(Sim::memory(), preset).await;
        let server = if is_redirected { setup.registry.blob_store() } else { setup.registry.api() };
        for is_chunked in [false, true] {
            let answer = if is_chunked { whole_answer().chunked() } else { whole_answer() };
            let fault = server.inject(Fault::answer(answer).path("/"));
            let reply = setup.regpass.send(setup.get()).await;
            assert!(!reply.complete && reply.body.len() < SIZE, "chunked {is_chunked}: {} bytes", reply.body.len());
            fault.remove();
            setup.sim.ledger().take();
            setup.assert_whole(&setup.regpass.send(setup.get()).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn right_blob_of_unknown_length_arrives_whole() {
    let setup = start().await;
    let answer = sim::Reply::new(200).slice("application/octet-stream", setup.blob.slice()).chunked();
    setup.registry.api().inject(Fault::answer(answer).path("/blobs/"));
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
}

#[tokio::test(start_paused = true)]
async fn blob_without_bytes_is_502_unless_it_is_empty() {
    let setup = start().await;
    setup.registry.api().inject(Fault::answer(sim::Reply::new(200).header("content-length", "0")).path("/blobs/"));
    assert_eq!(setup.regpass.send(setup.get()).await.status_and_code(), "502 UNAVAILABLE");
    let empty = "/v2/acme/app/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let reply = setup.regpass.get(empty).await;
    assert_eq!((reply.status.as_u16(), reply.complete, reply.body.len()), (200, true, 0));
}

#[tokio::test(start_paused = true)]
async fn verification_can_be_turned_off() {
    let preset = Preset::distribution(AuthMode::Open);
    let setup = BlobDownload::start(Sim::memory(), preset, SIZE, "verify = false").await;
    setup.registry.api().inject(Fault::answer(whole_answer()).path("/blobs/"));
    let reply = setup.regpass.send(setup.get()).await;
    assert!(reply.complete && reply.body == other().slice().to_bytes());
}

#[tokio::test(start_paused = true)]
async fn blob_resumed_with_the_bytes_of_another_ends_as_a_broken_transfer() {
    for (case, removed) in [("the same ETag", None), ("no ETag on either side", Some("etag"))] {
        let setup = start().await;
        let registry = setup.registry.api();
        if let Some(name) = removed {
            registry.inject(Fault::without_header(name));
        }
        registry.inject(Fault::close_mid_body(70_000).times(1));
        let part = sim::Reply::new(206)
            .slice("application/octet-stream", other().slice().part(70_000, SIZE as u64 - 1))
            .header("content-range", format!("bytes 70000-{}/{SIZE}", SIZE - 1));
        registry.inject(Fault::answer(part).when(has_range));
        let reply = setup.regpass.send(setup.get()).await;
        assert!(!reply.complete && reply.body.len() < SIZE, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn part_of_another_version_is_not_used() {
    for (case, first, fault) in [
        ("a weak ETag that differs", ("etag", "W/\"1\""), Fault::with_header("etag", "W/\"2\"")),
        (
            "another Last-Modified",
            ("last-modified", "Sun, 01 Nov 2026 00:00:00 GMT"),
            Fault::with_header("last-modified", "Mon, 02 Nov 2026 00:00:00 GMT"),
        ),
        ("an encoded part", ("x-nothing", ""), Fault::with_header("content-encoding", "gzip")),
        ("a range that runs backwards", ("x-nothing", ""), Fault::with_header("content-range", "bytes 70000-69999/*")),
        (
            "another length than its range",
            ("x-nothing", ""),
            Fault::with_header("content-range", "bytes 70000-70009/*"),
        ),
    ] {
        let setup = start().await;
        let registry = setup.registry.api();
        registry.inject(Fault::with_header(first.0, first.1).when(|entry| !has_range(entry)));
        registry.inject(Fault::close_mid_body(70_000).times(1));
        registry.inject(fault.when(has_range));
        let reply = setup.regpass.send(setup.get()).await;
        assert!(!reply.complete && reply.body.len() <= 70_000, "{case}: {} bytes", reply.body.len());
    }
}

#[tokio::test(start_paused = true)]
async fn range_of_the_client_is_resumed_only_with_a_strong_etag() {
    for (etag, is_resumed) in [(Some("\"strong\""), true), (Some("W/\"weak\""), false), (None, false)] {
        let setup = start().await;
        let registry = setup.registry.api();
        match etag {
            // The registry's own.
            Some("\"strong\"") => {}
            Some(weak) => drop(registry.inject(Fault::with_header("etag", weak))),
            None => drop(registry.inject(Fault::without_header("etag"))),
        }
        registry.inject(Fault::close_mid_body(5_000).times(1));
        let reply = setup.regpass.send(with_header(setup.get(), "range", "bytes=10000-19999")).await;
        assert_eq!(reply.complete, is_resumed, "{etag:?}");
        let entries = setup.sim.ledger().take();
        assert_eq!(entries.len(), 2, "{etag:?}");
        assert_eq!(entries[1].headers.get("if-range").is_some(), is_resumed, "{etag:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_range_than_the_requested_one_is_502() {
    let setup = start().await;
    for (range, bytes, length) in [
        ("bytes 0-9/200000", 0..=9, 10),
        ("bytes 5-14/200000", 0..=9_999, 10_000),
        ("bytes 5-14", 5..=14, 10),
        ("bytes 5-8/200000", 5..=8, 4),
        ("bytes 14-5/200000", 5..=14, 10),
    ] {
        let part = setup.blob.slice().part(*bytes.start(), *bytes.end());
        let answer = sim::Reply::new(206).slice("application/octet-stream", part).header("content-range", range);
        let fault = setup.registry.api().inject(Fault::answer(answer).path("/blobs/"));
        let reply = setup.regpass.send(with_header(setup.get(), "range", "bytes=5-14")).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{range} with {length} bytes");
        fault.remove();
    }
    setup.sim.ledger().take();
    let reply = setup.regpass.send(with_header(setup.get(), "range", "bytes=5-14")).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (206, 10));
}
