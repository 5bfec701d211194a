//! Several ranges in one request, as podman's zstd:chunked and stargz send them: they pass as they are.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

use super::{SIZE, start, start_with};
use crate::blob_download::BlobDownload;
use crate::harness::{Reply, request, with_header};
use crate::sim::{AuthMode, Blob, Fault, Hop, HopTarget, Preset, Reply as SimReply, SeveralRanges, Sim};
use crate::wire::StreamingResponse;

const SEVERAL: &str = "bytes=0-99,1000-1099, -100";
const TO_BLOBS: Hop = Hop::new(307, HopTarget::BlobStore);

/// A registry that redirects blobs to a store that answers several ranges in this way.
async fn start_with_store(several: SeveralRanges) -> BlobDownload {
    let mut preset = Preset::distribution(AuthMode::Open).blob_hops(&[TO_BLOBS]);
    preset.pull.store_ranges = several;
    start_with(Sim::memory(), preset).await
}

impl BlobDownload {
    fn get_ranges(&self, ranges: &str) -> Request<Bytes> {
        with_header(self.get(), "range", ranges)
    }

    /// Asserts that the reply has these parts of the blob, each with its `Content-Range`.
    #[track_caller]
    fn assert_parts(&self, reply: &Reply, parts: &[(usize, usize)]) {
        let kind = reply.header("content-type").unwrap_or_default();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap_or_else(|| panic!("{reply:?}"));
        assert_eq!((reply.status.as_u16(), reply.complete, reply.header("content-range")), (206, true, None));
        assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
        let mut expected = Vec::new();
        for (first, last) in parts {
            let size = self.blob.len();
            let head = format!(
                "\r\n--{boundary}\r\nContent-Range: bytes {first}-{last}/{size}\r\nContent-Type: application/octet-stream\r\n\r\n"
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(&self.blob.slice().to_bytes()[*first..=*last]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(reply.body == expected[2..], "other parts: {}", String::from_utf8_lossy(&reply.body));
    }
}

#[tokio::test(start_paused = true)]
async fn several_ranges_of_a_registry_pass_as_a_multipart_body() {
    let setup = start().await;
    let reply = setup.regpass.send(setup.get_ranges(SEVERAL)).await;
    setup.assert_parts(&reply, &[(0, 99), (1000, 1099), (SIZE - 100, SIZE - 1)]);
    assert_eq!(reply.header("docker-content-digest"), Some(&*setup.blob.digest));
    assert_eq!(setup.requests(), [format!("registry 206 {SEVERAL}")]);

    // One satisfiable range is a single part, none is a 416, and more bytes than the blob are the blob.
    let reply = setup.regpass.send(setup.get_ranges("bytes=5-9,200000-")).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-range")), (206, Some("bytes 5-9/200000")));
    let reply = setup.regpass.send(setup.get_ranges("bytes=200000-,300000-")).await;
    assert_eq!(
        (&*reply.status_and_code(), reply.header("content-range")),
        ("416 RANGE_INVALID", Some("bytes */200000"))
    );
    setup.assert_whole(&setup.regpass.send(setup.get_ranges("bytes=0-150000,50000-199999")).await);
    // `If-Range` passes with the ranges.
    let changed = with_header(setup.get_ranges(SEVERAL), "if-range", "\"older\"");
    setup.assert_whole(&setup.regpass.send(changed).await);
    assert_eq!(setup.requests().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn several_ranges_pass_over_redirects_with_the_answer_of_the_store() {
    let setup = start_with_store(SeveralRanges::Multipart).await;
    let reply = setup.regpass.send(setup.get_ranges(SEVERAL)).await;
    setup.assert_parts(&reply, &[(0, 99), (1000, 1099), (SIZE - 100, SIZE - 1)]);
    assert_eq!(setup.requests(), [format!("registry 307 {SEVERAL}"), format!("blobs 206 {SEVERAL}")]);

    let setup = start_with_store(SeveralRanges::Whole).await;
    setup.assert_whole(&setup.regpass.send(setup.get_ranges(SEVERAL)).await);
    assert_eq!(setup.requests(), [format!("registry 307 {SEVERAL}"), format!("blobs 200 {SEVERAL}")]);
}

#[tokio::test(start_paused = true)]
async fn store_that_rejects_too_many_ranges_is_a_400_and_not_an_outage() {
    for (header, statuses) in [(SEVERAL, [307, 400, 307, 400]), ("bytes=0-99", [307, 400, 307, 400])] {
        let setup = start_with_store(SeveralRanges::Multipart).await;
        let rejection = SimReply::new(400).html("<html><body><h1>400 Bad Request</h1></body></html>");
        setup.registry.blob_store().inject(Fault::answer(rejection));
        let reply = setup.regpass.send(setup.get_ranges(header)).await;
        // A 400 to a single range only means an expired signature.
        assert_eq!(reply.status, if header == SEVERAL { 400 } else { 502 }, "{reply:?}");
        assert_eq!(reply.json()["errors"][0]["detail"]["blame"], "storage");
        let entries = setup.sim.ledger().take();
        assert_eq!(entries.iter().map(|entry| entry.status.unwrap().as_u16()).collect::<Vec<_>>(), statuses);
    }
    let setup = start().await;
    setup.registry.api().inject(Fault::text(400, "Request Header Or Cookie Too Large"));
    assert_eq!(setup.regpass.send(setup.get_ranges(SEVERAL)).await.status, 400);
    assert_eq!(setup.requests(), [format!("registry 400 {SEVERAL}")]);
}

#[tokio::test(start_paused = true)]
async fn broken_multipart_body_is_not_resumed_but_a_whole_body_is() {
    let ranges = "bytes=0-49999,100000-149999";
    let setup = start().await;
    setup.registry.api().inject(Fault::close_mid_body(70_000).times(1));
    let reply = setup.regpass.send(setup.get_ranges(ranges)).await;
    assert_eq!((reply.status.as_u16(), reply.complete), (206, false), "bytes of another request would not fit");
    assert_eq!(setup.requests(), [format!("registry 206 {ranges}")]);

    // The same with a `Content-Range`, which a multipart response must not have (RFC 9110, section 15.3.7.2).
    setup.registry.api().inject(Fault::with_header("content-range", "bytes 0-149999/200000"));
    setup.registry.api().inject(Fault::close_mid_body(70_000).times(1));
    let reply = setup.regpass.send(setup.get_ranges(ranges)).await;
    assert_eq!((reply.status.as_u16(), reply.complete), (206, false));
    assert_eq!(setup.requests(), [format!("registry 206 {ranges}")]);

    let setup = start_with_store(SeveralRanges::Whole).await;
    setup.registry.blob_store().inject(Fault::close_mid_body(70_000).times(1));
    setup.assert_whole(&setup.regpass.send(setup.get_ranges(ranges)).await);
    let rest = ["registry 307 bytes=70000-199999", "blobs 206 bytes=70000-199999"].map(str::to_owned);
    assert_eq!(setup.requests()[2..], rest);
}

#[tokio::test(start_paused = true)]
async fn several_ranges_are_logged_as_complete() {
    let log = crate::log::Log::capture();
    let setup = start().await;
    let mut open = StreamingResponse::start(&setup.regpass, setup.get_ranges(SEVERAL)).await;
    while let Some(piece) = open.next_piece().await {
        piece.unwrap();
    }
    open.disconnect().await;
    assert_eq!((log.events("request").len(), log.lines("unfinished").len()), (1, 0), "{}", log.text());
}

/// The requests of an update by podman 5.8: the footer and the table of contents of a layer of 50 MiB, then a tenth of
/// it in a hundred ranges.
#[tokio::test(start_paused = true)]
async fn update_of_a_tenth_of_a_layer_costs_as_many_bytes_as_a_direct_one() {
    const LAYER: u64 = 50 << 20;
    let pieces: Vec<_> =
        (0..100).map(|n| n * (LAYER / 100)).map(|at| format!("{at}-{}", at + LAYER / 1000 - 1)).collect();
    let ranges = ["bytes=-72".to_owned(), "bytes=52000000-52200000".to_owned(), format!("bytes={}", pieces.join(","))];
    let mut preset = Preset::distribution(AuthMode::Open).blob_hops(&[TO_BLOBS]);
    preset.pull.store_ranges = SeveralRanges::Multipart;
    let setup = start_with(Sim::memory(), preset).await;
    let layer = Blob::synthetic_as(LAYER, &format!("sha256:{}", "b".repeat(64)));
    setup.registry.publish_blob("acme/app", &layer);
    let target = format!("/v2/acme/app/blobs/{}", layer.digest);
    let received = |server: &str| {
        let entries = setup.sim.ledger().take();
        let bytes: u64 = entries.iter().map(|entry| entry.reply_len).sum();
        (bytes, entries.iter().filter(|entry| entry.server == server).count())
    };
    let mut direct = Vec::new();
    for range in &ranges {
        let (head, _) = send_directly(&setup.sim, &setup.registry.origin(), &target, range).await;
        let location = head["location"].to_str().unwrap().to_owned();
        let (origin, path) = location.split_at(location.find("/signed").unwrap());
        direct.push(send_directly(&setup.sim, origin, path, range).await.1);
    }
    let of_direct = received("blobs");
    for (range, direct) in ranges.iter().zip(direct) {
        let reply = setup.regpass.send(with_header(request(Method::GET, &target), "range", range)).await;
        assert_eq!((reply.status.as_u16(), reply.complete), (206, true));
        assert!(reply.body == direct, "other bytes than directly");
    }
    let of_regpass = received("blobs");
    assert_eq!(of_regpass.1, 3);
    assert!(of_direct.0 > LAYER / 10 && of_direct.0 < LAYER / 9, "{of_direct:?}");
    assert!(of_regpass.0 * 10 <= of_direct.0 * 11, "{of_regpass:?} instead of {of_direct:?}");
}

/// Sends a GET with a range to a server of the simulation.
async fn send_directly(sim: &Sim, origin: &str, path: &str, range: &str) -> (HeaderMap, Bytes) {
    let host = origin.strip_prefix("http://").unwrap();
    let stream = sim.network().connect(host, 80).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::builder().uri(path).header("host", host).header("range", range).header("user-agent", "podman");
    let response = sender.send_request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    (head.headers, body.collect().await.unwrap().to_bytes())
}
