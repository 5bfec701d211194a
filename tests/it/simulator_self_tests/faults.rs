//! Faults in the middle of an upload.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::sim::{AuthMode, Fault, Preset, Reply, Sim, sha256};
use crate::simulator_self_tests::{CHUNKED, TestBench, basic, head, read_reply, resolve, status_and_code, with_digest};

const SIZE: usize = 300_000;

#[tokio::test(start_paused = true)]
async fn cut_upload_keeps_the_bytes_before_the_cut() {
    for (after, encoding) in [(0, "x-a: b"), (1, "x-a: b"), (100_001, "x-a: b"), (100_001, CHUNKED)] {
        for method in ["PATCH", "PUT"] {
            let bench = TestBench::open(Preset::generic()).await;
            let body = vec![7; SIZE];
            let session = bench.open_session().await;
            let target = if method == "PUT" { with_digest(&session, &sha256(&body)) } else { session.clone() };
            let fault = bench.registry.api().inject(Fault::cut_upload(after).times(1));
            bench.sim.ledger().take();
            assert!(bench.try_send(method, &target, &[encoding], &body).await.is_none(), "{method} {after}");
            let entry = bench.sim.ledger().take().remove(0);
            assert_eq!(
                (entry.status, entry.body_len, entry.body_complete),
                (None, after, false),
                "{method} {encoding}"
            );
            assert_eq!((bench.registry.open_upload_sizes(), fault.hits()), (vec![after], 1));
            assert!(bench.stored_blob(&sha256(&body)).is_none());
            // The session keeps what has arrived, and the rest completes the blob.
            let session = resolve(&session, &bench.send("GET", &session, &[], b"").await);
            let rest = &body[usize::try_from(after).unwrap()..];
            assert_eq!(bench.send("PUT", &with_digest(&session, &sha256(&body)), &[], rest).await.status, 201);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fault_replies_during_or_after_an_upload_leave_the_session() {
    let mut preset = Preset::distribution(AuthMode::Token);
    preset.access.open_to_all = true;
    let bench = TestBench::open(preset).await;
    let stale = bench.registry.invalid_token_reply();
    let busy = Reply::error(503, "UNAVAILABLE", "slow down").header("retry-after", "7");
    let rows = [
        (Fault::answer_mid_upload(1000, stale), "401 UNAUTHORIZED", 1000, false),
        (Fault::answer_mid_upload(0, Reply::new(500)), "500", 0, false),
        (Fault::answer_after_upload(busy), "503 UNAVAILABLE", SIZE as u64, true),
        (Fault::answer_after_upload(Reply::new(500)), "500", SIZE as u64, true),
    ];
    for (fault, expected, read, whole) in rows {
        let (session, body) = (bench.open_session().await, vec![7; SIZE]);
        bench.registry.api().inject(fault.method(Method::PUT).times(1));
        let reply = bench.send("PUT", &with_digest(&session, &sha256(&body)), &[], &body).await;
        assert_eq!((&*status_and_code(&reply), reply.header("connection")), (expected, (!whole).then_some("close")));
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenge.contains(r#"error="invalid_token""#), reply.status == 401, "{challenge}");
        let entry = bench.sim.ledger().take().pop().unwrap();
        assert_eq!((entry.body_len, entry.body_complete), (read, whole), "{expected}");
        assert!(bench.stored_blob(&sha256(&body)).is_none(), "{expected}");
        assert_eq!(bench.send("GET", &session, &[], b"").await.status, 204, "the session still exists");
    }
}

#[tokio::test(start_paused = true)]
async fn stalled_upload_blocks_the_client_and_gets_no_reply() {
    let bench = TestBench::open(Preset::generic()).await;
    bench.registry.api().inject(Fault::stall_upload(5).method(Method::PATCH));
    let session = bench.open_session().await;
    let (host, path) = bench.split(&session);
    let mut stream = bench.sim.network().connect(host, 80).unwrap();
    stream.write_all(head("PATCH", host, path, &["content-length: 100000000"]).as_bytes()).await.unwrap();
    let endless = async {
        loop {
            stream.write_all(&[7; 1000]).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(60), endless).await.is_err(), "the client is blocked");
    assert!(timeout(Duration::from_secs(60), read_reply(&mut stream)).await.is_err(), "the server does not reply");
    assert_eq!(bench.registry.open_upload_sizes(), [5]);
}

#[tokio::test(start_paused = true)]
async fn truncated_reply_has_exactly_the_given_length() {
    let bench = TestBench::open(Preset::generic()).await;
    let whole = bench.send("GET", "/v2/none/tags/list", &[], b"").await.body.len();
    for (length, expected) in [(0, 0), (1, 1), (5, 5), (1_000_000, whole)] {
        let fault = bench.registry.api().inject(Fault::truncated(length));
        let reply = bench.send("GET", "/v2/none/tags/list", &[], b"").await;
        let declared = reply.header("content-length").map(str::to_owned);
        assert_eq!((reply.body.len(), declared), (expected, Some(expected.to_string())), "{length}");
        fault.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn connection_that_closes_under_a_request_sends_no_byte() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic()).await;
    registry.api().inject(Fault::close_before_head().times(1));
    let mut stream = sim.network().connect(registry.authority(), 80).unwrap();
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: generic.test\r\nuser-agent: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty());
    sim.ledger().expect(&["registry GET /v2/ anonymous unanswered"]);
}

#[tokio::test(start_paused = true)]
async fn replaced_password_is_denied() {
    let bench = TestBench::start(Preset::ecr()).await;
    bench.registry.add_user("AWS", "first");
    bench.registry.store().write("acme/app/web", |_| ());
    let post = async |password: &str| {
        bench.send("POST", crate::simulator_self_tests::UPLOADS, &[&basic("AWS", password)], b"").await.status.as_u16()
    };
    assert_eq!(post("first").await, 202);
    bench.registry.add_user("AWS", "second");
    assert_eq!((post("first").await, post("second").await), (403, 202));
}
