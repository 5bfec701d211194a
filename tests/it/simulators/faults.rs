//! Faults in the middle of an upload.

use std::time::Duration;

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::sim::{Fault, Mode, Preset, Reply, sha256};
use crate::simulators::{Bench, CHUNKED, answer, basic, head, resolve, verdict, with_digest};

const SIZE: usize = 300_000;

#[tokio::test(start_paused = true)]
async fn an_upload_can_break_anywhere() {
    for (after, encoding) in [(0, "x-a: b"), (1, "x-a: b"), (100_001, "x-a: b"), (100_001, CHUNKED)] {
        for method in ["PATCH", "PUT"] {
            let bench = Bench::open(Preset::generic()).await;
            let body = vec![7; SIZE];
            let at = bench.session().await;
            let target = if method == "PUT" { with_digest(&at, &sha256(&body)) } else { at.clone() };
            let fault = bench.registry.registry().inject(Fault::cut_upload(after).times(1));
            bench.sim.ledger().take();
            assert!(bench.try_send(method, &target, &[encoding], &body).await.is_none(), "{method} {after}");
            let entry = bench.sim.ledger().take().remove(0);
            assert_eq!((entry.status, entry.body_len, entry.body_whole), (None, after, false), "{method} {encoding}");
            assert_eq!((bench.registry.open_uploads(), fault.hits()), (vec![after], 1));
            assert!(bench.stored(&sha256(&body)).is_none());
            // What has arrived counts: the rest completes the blob.
            let at = resolve(&at, &bench.send("GET", &at, &[], b"").await);
            let rest = &body[usize::try_from(after).unwrap()..];
            assert_eq!(bench.send("PUT", &with_digest(&at, &sha256(&body)), &[], rest).await.status, 201);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_come_in_the_middle_of_a_body_or_in_place_of_success() {
    let mut preset = Preset::distribution(Mode::Token);
    preset.gate.open = true;
    let bench = Bench::open(preset).await;
    let stale = bench.registry.invalid_token();
    let busy = Reply::error(503, "UNAVAILABLE", "slow down").header("retry-after", "7");
    let rows = [
        (Fault::answer_mid_upload(1000, stale), "401 UNAUTHORIZED", 1000, false),
        (Fault::answer_mid_upload(0, Reply::new(500)), "500", 0, false),
        (Fault::answer_after_upload(busy), "503 UNAVAILABLE", SIZE as u64, true),
        (Fault::answer_after_upload(Reply::new(500)), "500", SIZE as u64, true),
    ];
    for (fault, expected, read, whole) in rows {
        let (at, body) = (bench.session().await, vec![7; SIZE]);
        bench.registry.registry().inject(fault.method(Method::PUT).times(1));
        let reply = bench.send("PUT", &with_digest(&at, &sha256(&body)), &[], &body).await;
        assert_eq!((&*verdict(&reply), reply.header("connection")), (expected, (!whole).then_some("close")));
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenge.contains(r#"error="invalid_token""#), reply.status == 401, "{challenge}");
        let entry = bench.sim.ledger().take().pop().unwrap();
        assert_eq!((entry.body_len, entry.body_whole), (read, whole), "{expected}");
        assert!(bench.stored(&sha256(&body)).is_none(), "{expected}");
        assert_eq!(bench.send("GET", &at, &[], b"").await.status, 204, "the session stays");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_can_stop_reading() {
    let bench = Bench::open(Preset::generic()).await;
    bench.registry.registry().inject(Fault::stall_upload(5).method(Method::PATCH));
    let at = bench.session().await;
    let (host, path) = bench.split(&at);
    let mut stream = bench.sim.network().connect(host, 80).unwrap();
    stream.write_all(head("PATCH", host, path, &["content-length: 100000000"]).as_bytes()).await.unwrap();
    let endless = async {
        loop {
            stream.write_all(&[7; 1000]).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(60), endless).await.is_err(), "the writer has to wait");
    assert!(timeout(Duration::from_secs(60), answer(&mut stream)).await.is_err(), "nothing is answered");
    assert_eq!(bench.registry.open_uploads(), [5]);
}

/// The password of ECR runs out while a push is under way.
#[tokio::test(start_paused = true)]
async fn a_password_can_expire() {
    let bench = Bench::start(Preset::ecr()).await;
    bench.registry.user("AWS", "first");
    bench.registry.store().write("acme/app/web", |_| ());
    let post = async |password: &str| {
        bench.send("POST", crate::simulators::UPLOADS, &[&basic("AWS", password)], b"").await.status.as_u16()
    };
    assert_eq!(post("first").await, 202);
    bench.registry.user("AWS", "second");
    assert_eq!((post("first").await, post("second").await), (403, 202));
}
