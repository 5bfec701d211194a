//! What an upload session accepts and rejects, as CNCF Distribution does.

use crate::sim::{AuthMode, MonolithicPost, Preset, Reply, sha256};
use crate::simulator_self_tests::{CHUNKED, STREAM, TestBench, UPLOADS, resolve, status_and_code, with_digest};

#[tokio::test(start_paused = true)]
async fn patch_must_start_at_the_received_length_with_a_consistent_content_range() {
    let rows: [(&[&str], &str); 14] = [
        (&[], "202"),
        (&[STREAM], "202"),
        (&[CHUNKED], "202"),
        (&["content-range: 3-5"], "202"),
        (&["content-range: 3-5", CHUNKED], "202"),
        (&["content-type: text/plain"], "400 UNKNOWN"),
        (&["content-range: 0-2"], "416 RANGE_INVALID"),
        (&["content-range: 4-6"], "416 RANGE_INVALID"),
        (&["content-range: 3-2"], "416 RANGE_INVALID"),
        (&["content-range: bytes 3-5"], "416 RANGE_INVALID"),
        (&["content-range: 3-5/9"], "416 RANGE_INVALID"),
        (&["content-range: bytes 3-5/*"], "416 RANGE_INVALID"),
        (&["content-range: 3-6"], "400 SIZE_INVALID"),
        (&["content-range: 3-6", CHUNKED], "400 SIZE_INVALID"),
    ];
    for (lines, expected) in rows {
        let bench = TestBench::open(Preset::generic()).await;
        let session = bench.open_session().await;
        let session = resolve(&session, &bench.send("PATCH", &session, &[], b"abc").await);
        let reply = bench.send("PATCH", &session, lines, b"def").await;
        assert_eq!(status_and_code(&reply), expected, "{lines:?}");
        let malformed = lines.iter().any(|line| line.contains("bytes") || line.contains('/'));
        if expected.starts_with("416") && !malformed {
            assert_eq!(reply.header("range"), Some("0-2"), "{lines:?}");
            let again = resolve(&session, &reply);
            assert_eq!(bench.send("PATCH", &again, &["content-range: 3-5"], b"def").await.status, 202);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn closing_put_requires_the_right_digest() {
    let right = sha256(b"abcdef");
    let rows = [
        ("?", "400 DIGEST_INVALID", 1),
        ("digest=sha256:1234", "400 DIGEST_INVALID", 0),
        (&*format!("digest={}", sha256(b"abc")), "400 DIGEST_INVALID", 0),
        (&*format!("digest={right}"), "201", 0),
    ];
    for (parameter, expected, sessions_left) in rows {
        let bench = TestBench::open(Preset::generic()).await;
        let session = bench.open_session().await;
        let session = resolve(&session, &bench.send("PATCH", &session, &[CHUNKED], b"abc").await);
        let target = if parameter == "?" { session.clone() } else { format!("{session}&{parameter}") };
        assert_eq!(status_and_code(&bench.send("PUT", &target, &[STREAM], b"def").await), expected, "{parameter}");
        assert_eq!(bench.registry.open_upload_sizes().len(), sessions_left, "{parameter}");
        assert_eq!(bench.stored_blob(&right).is_some(), expected == "201");
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_session_is_unknown() {
    let bench = TestBench::open(Preset::generic()).await;
    let session = bench.open_session().await;
    assert_eq!(bench.send("DELETE", &session.replace("_state=", "_state=x"), &[], b"").await.status, 400);
    assert_eq!(bench.send("DELETE", &session, &[], b"").await.status, 204);
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        assert_eq!(
            status_and_code(&bench.send(method, &session, &[], b"").await),
            "404 BLOB_UPLOAD_UNKNOWN",
            "{method}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn status_range_prefix_appears_in_status_replies_only() {
    let bench = TestBench::open(Preset::generic().with_push_rules(|push| push.status_range_prefix = "bytes=")).await;
    let session = bench.open_session().await;
    let reply = bench.send("PATCH", &session, &[], b"abc").await;
    assert_eq!(reply.header("range"), Some("0-2"));
    let reply = bench.send("GET", &resolve(&session, &reply), &[], b"").await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("bytes=0-2")));
}

#[tokio::test(start_paused = true)]
async fn post_with_a_digest_gets_the_reply_of_the_preset() {
    let refused = Reply::error(405, "UNSUPPORTED", "no");
    let open = |post: MonolithicPost| Preset::generic().with_push_rules(|push| push.monolithic_post = post);
    let rows: Vec<(Preset, &[&str], &str, bool)> = vec![
        (open(MonolithicPost::Accepted), &[STREAM], "201", true),
        (open(MonolithicPost::Ignored), &[STREAM], "202", false),
        (Preset::distribution(AuthMode::Open), &[STREAM], "202", false),
        (open(MonolithicPost::OctetStreamOnly), &[STREAM], "201", true),
        (open(MonolithicPost::OctetStreamOnly), &[], "415", false),
        (open(MonolithicPost::Rejected(refused)), &[STREAM], "405 UNSUPPORTED", false),
    ];
    for (preset, lines, expected, kept) in rows {
        let bench = TestBench::open(preset).await;
        let digest = sha256(b"whole");
        let reply = bench.send("POST", &format!("{UPLOADS}?digest={digest}"), lines, b"whole").await;
        assert_eq!(status_and_code(&reply), expected);
        assert_eq!(bench.stored_blob(&digest).is_some(), kept);
        let entry = bench.sim.ledger().take().remove(0);
        assert_eq!(entry.body_len, if kept { 5 } else { 0 }, "{entry}");
        if expected == "202" {
            let session = resolve(UPLOADS, &reply);
            assert_eq!(bench.send("PUT", &with_digest(&session, &digest), &[], b"whole").await.status, 201);
        }
    }
}
