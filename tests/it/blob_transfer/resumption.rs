//! Interrupted blobs are resumed with a request for the remaining bytes; unsuitable replies to
//! that request are not used.

use std::time::Duration;

use tokio::time::Instant;

use super::{SIZE, start, start_with};
use crate::blob_download::BlobDownload;
use crate::harness::{Reply, with_header};
use crate::sim::{self, AuthMode, Blob, Delivery, Fault, Hop, HopTarget, Preset, Sim};
use crate::wire::StreamingResponse;

#[tokio::test(start_paused = true)]
async fn interrupted_blob_is_resumed_with_one_range_request() {
    for after in [0, 1, 65_536, 199_999] {
        for fault in [Fault::close_mid_body, Fault::reset_mid_body] {
            let setup = start().await;
            setup.registry.api().inject(fault(after).times(1));
            setup.assert_whole(&setup.regpass.send(setup.get()).await);
            let rest = format!("registry 206 bytes={after}-199999");
            assert_eq!(setup.requests(), ["registry 200 whole".to_owned(), rest]);
            setup.sim.finish();
        }
    }
}

#[tokio::test]
async fn tcp_reset_is_resumed() {
    let setup = start_with(Sim::loopback(), Preset::distribution(AuthMode::Open)).await;
    setup.registry.api().inject(Fault::reset_mid_body(100_000).times(1));
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    // A reset may discard bytes that were sent, so the start of the range is not predictable.
    assert_eq!(setup.sim.ledger().take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn busy_reply_to_the_range_request_is_retried() {
    let setup = start().await;
    let registry = setup.registry.api();
    registry.inject(Fault::close_mid_body(80_000).times(1));
    let is_ranged = |entry: &sim::Entry| entry.headers.contains_key("range");
    registry.inject(Fault::text(503, "busy").times(1).when(is_ranged));
    let started = Instant::now();
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    assert_eq!(started.elapsed().as_secs(), 1, "regpass pauses before the retry");
    let rest = "bytes=80000-199999";
    assert_eq!(
        setup.requests(),
        ["registry 200 whole", &format!("registry 503 {rest}"), &format!("registry 206 {rest}")]
    );
}

#[tokio::test(start_paused = true)]
async fn blob_is_resumed_repeatedly_as_long_as_bytes_arrive() {
    let setup = start().await;
    setup.registry.api().inject(Fault::close_mid_body(30_000).times(6));
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    assert_eq!(setup.requests().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn interrupted_range_is_resumed_within_the_range() {
    for (range, from, to) in
        [("bytes=1000-49999", 1000, 50_000), ("bytes=150000-", 150_000, SIZE), ("bytes=-50000", 150_000, SIZE)]
    {
        let setup = start().await;
        setup.registry.api().inject(Fault::close_mid_body(10_000).times(1));
        let reply = setup.regpass.send(with_header(setup.get(), "range", range)).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-range").is_some()), (206, true));
        setup.assert_part(&reply, from, to);
        let rest = format!("registry 206 bytes={}-{}", from + 10_000, to - 1);
        assert_eq!(setup.requests(), [format!("registry 206 {range}"), rest]);
    }
}

#[tokio::test(start_paused = true)]
async fn if_range_of_the_client_is_not_repeated_when_resuming() {
    let setup = start().await;
    setup.registry.api().inject(Fault::close_mid_body(10_000).times(1));
    // The client's ETag is not the blob's, so the registry sends the whole blob. regpass resumes it without `If-Range`.
    let conditional = with_header(with_header(setup.get(), "range", "bytes=500-"), "if-range", "\"older\"");
    setup.assert_whole(&setup.regpass.send(conditional).await);
    assert_eq!(setup.requests(), ["registry 200 bytes=500-", "registry 206 bytes=10000-199999"]);
}

#[tokio::test(start_paused = true)]
async fn resumption_requests_a_new_signed_url() {
    let mut preset = Preset::distribution(AuthMode::Open);
    let hops = vec![Hop::new(307, HopTarget::BlobStore)];
    preset.pull.blobs = Delivery::Redirect { hops, valid_for: Duration::from_secs(20), head_allowed: true };
    let setup = start_with(Sim::memory(), preset).await;
    setup.registry.blob_store().inject(Fault::hang_mid_body(100_000).times(1));
    let started = Instant::now();
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    assert_eq!(started.elapsed().as_secs(), 30, "the first URL has expired");
    let first = ["registry 307 whole", "blobs 200 whole"];
    let rest = ["registry 307 bytes=100000-199999", "blobs 206 bytes=100000-199999"];
    assert_eq!(setup.requests(), [first, rest].concat());

    // The new URL may have expired as well.
    setup.registry.blob_store().inject(Fault::close_mid_body(5).times(1));
    setup
        .registry
        .blob_store()
        .inject(Fault::expired_signature().when(|entry| entry.headers.contains_key("range")).times(1));
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    let rest = [
        "registry 307 bytes=5-199999",
        "blobs 403 bytes=5-199999",
        "registry 307 bytes=5-199999",
        "blobs 206 bytes=5-199999",
    ];
    assert_eq!(setup.requests(), [&first[..], &rest].concat());
}

#[tokio::test(start_paused = true)]
async fn resumption_renews_an_expired_token() {
    let setup = start_with(Sim::memory(), Preset::distribution(AuthMode::Token)).await;
    let has_token = |entry: &sim::Entry| entry.authorization != sim::RequestAuth::None;
    setup.registry.api().inject(Fault::hang_mid_body(50_000).when(has_token).times(1));
    let mut open = StreamingResponse::start(&setup.regpass, setup.get()).await;
    let first = open.next_piece().await.unwrap().unwrap();
    setup.sim.ledger().take();
    setup.registry.revoke_tokens();
    let mut received = first.len();
    while let Some(piece) = open.next_piece().await {
        received += piece.unwrap().len();
    }
    assert_eq!(received, SIZE);
    let statuses: Vec<String> = setup
        .sim
        .ledger()
        .take()
        .iter()
        .map(|entry| format!("{} {} {}", entry.server, entry.authorization, entry.status.unwrap().as_u16()))
        .collect();
    assert_eq!(statuses, ["registry bearer#1 401", "token anonymous 200", "registry bearer#2 206"]);
}

/// A transfer that is interrupted once, while all requests with a range get `fault`.
async fn resume_with_fault(fault: Fault) -> (BlobDownload, Reply) {
    let setup = start().await;
    setup.registry.api().inject(Fault::close_mid_body(70_000).times(1));
    setup.registry.api().inject(fault.when(|entry| entry.headers.contains_key("range")));
    let reply = setup.regpass.send(setup.get()).await;
    (setup, reply)
}

#[tokio::test(start_paused = true)]
async fn unsuitable_reply_to_the_range_request_breaks_the_transfer() {
    let whole = || BlobDownload::content(SIZE).slice();
    for (case, fault) in [
        ("ranges are ignored", Fault::answer(sim::Reply::new(200).slice("application/octet-stream", whole()))),
        (
            "ranges are ignored, but there is a Content-Range",
            Fault::answer(
                sim::Reply::new(200)
                    .slice("application/octet-stream", whole())
                    .header("content-range", "bytes 70000-199999/200000"),
            ),
        ),
        ("another ETag", Fault::with_header("etag", "\"another\"")),
        ("another part", Fault::with_header("content-range", "bytes 60000-199999/200000")),
        ("another length", Fault::with_header("content-range", "bytes 70000-199999/200001")),
        ("no Content-Range", Fault::without_header("content-range")),
        ("an invalid Content-Range", Fault::with_header("content-range", "bytes seventy-")),
        ("not found", Fault::answer(sim::Reply::error(404, "BLOB_UNKNOWN", "blob unknown"))),
        ("an error", Fault::html(503)),
        ("a challenge", Fault::challenge(&["Basic realm=\"x\""])),
    ] {
        let (setup, reply) = resume_with_fault(fault).await;
        setup.assert_broken(&reply);
        assert_eq!(
            setup.sim.ledger().count("registry", |entry| entry.path == setup.target
                && entry.status.is_some_and(|status| status == 200 && !entry.headers.contains_key("range"))),
            1,
            "{case}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn shorter_part_than_requested_is_resumed_after_its_end() {
    let setup = start().await;
    setup.registry.api().inject(Fault::close_mid_body(70_000).times(1));
    let part = sim::Reply::new(206)
        .slice("application/octet-stream", setup.blob.slice().part(70_000, 99_999))
        .header("content-range", "bytes 70000-99999/200000");
    setup.registry.api().inject(Fault::answer(part).when(|entry| entry.headers.contains_key("range")).times(1));
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    let rests = ["registry 206 bytes=70000-199999", "registry 206 bytes=100000-199999"];
    assert_eq!(setup.requests(), [&["registry 200 whole"][..], &rests].concat());
}

#[tokio::test(start_paused = true)]
async fn surplus_bytes_never_reach_the_client() {
    for whole in ["204990", "200000", "*"] {
        let setup = start().await;
        setup.registry.api().inject(Fault::close_mid_body(199_990).times(1));
        let part = sim::Reply::new(206)
            .slice("application/octet-stream", Blob::random(3, 5000).slice())
            .header("content-range", format!("bytes 199990-204989/{whole}"));
        setup.registry.api().inject(Fault::answer(part).when(|entry| entry.headers.contains_key("range")));
        let reply = setup.regpass.send(setup.get()).await;
        setup.assert_broken(&reply);
    }
}
