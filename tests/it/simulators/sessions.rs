//! What a session takes and what it refuses, as CNCF Distribution does.

use crate::sim::{Mode, Preset, Reply, SinglePost, sha256};
use crate::simulators::{Bench, CHUNKED, STREAM, UPLOADS, resolve, verdict, with_digest};

#[tokio::test(start_paused = true)]
async fn a_patch_goes_on_where_the_session_stands_and_says_so_rightly() {
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
        let bench = Bench::open(Preset::generic()).await;
        let at = bench.session().await;
        let at = resolve(&at, &bench.send("PATCH", &at, &[], b"abc").await);
        let reply = bench.send("PATCH", &at, lines, b"def").await;
        assert_eq!(verdict(&reply), expected, "{lines:?}");
        let malformed = lines.iter().any(|line| line.contains("bytes") || line.contains('/'));
        if expected.starts_with("416") && !malformed {
            assert_eq!(reply.header("range"), Some("0-2"), "{lines:?}");
            let again = resolve(&at, &reply);
            assert_eq!(bench.send("PATCH", &again, &["content-range: 3-5"], b"def").await.status, 202);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_closing_put_needs_the_right_digest() {
    let right = sha256(b"abcdef");
    let rows = [
        ("?", "400 DIGEST_INVALID", 1),
        ("digest=sha256:1234", "400 DIGEST_INVALID", 0),
        (&*format!("digest={}", sha256(b"abc")), "400 DIGEST_INVALID", 0),
        (&*format!("digest={right}"), "201", 0),
    ];
    for (parameter, expected, sessions_left) in rows {
        let bench = Bench::open(Preset::generic()).await;
        let at = bench.session().await;
        let at = resolve(&at, &bench.send("PATCH", &at, &[CHUNKED], b"abc").await);
        let target = if parameter == "?" { at.clone() } else { format!("{at}&{parameter}") };
        assert_eq!(verdict(&bench.send("PUT", &target, &[STREAM], b"def").await), expected, "{parameter}");
        assert_eq!(bench.registry.open_uploads().len(), sessions_left, "{parameter}");
        assert_eq!(bench.stored(&right).is_some(), expected == "201");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_session_is_gone() {
    let bench = Bench::open(Preset::generic()).await;
    let at = bench.session().await;
    assert_eq!(bench.send("DELETE", &at.replace("_state=", "_state=x"), &[], b"").await.status, 400);
    assert_eq!(bench.send("DELETE", &at, &[], b"").await.status, 204);
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        assert_eq!(verdict(&bench.send(method, &at, &[], b"").await), "404 BLOB_UPLOAD_UNKNOWN", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_may_speak_of_bytes() {
    let bench = Bench::open(Preset::generic().pushes(|push| push.status_prefix = "bytes=")).await;
    let at = bench.session().await;
    let reply = bench.send("PATCH", &at, &[], b"abc").await;
    assert_eq!(reply.header("range"), Some("0-2"));
    let reply = bench.send("GET", &resolve(&at, &reply), &[], b"").await;
    assert_eq!((reply.status.as_u16(), reply.header("range")), (204, Some("bytes=0-2")));
}

#[tokio::test(start_paused = true)]
async fn a_post_with_a_digest_is_what_the_registry_makes_of_it() {
    let refused = Reply::error(405, "UNSUPPORTED", "no");
    let open = |post: SinglePost| Preset::generic().pushes(|push| push.single_post = post);
    let rows: Vec<(Preset, &[&str], &str, bool)> = vec![
        (open(SinglePost::Taken), &[STREAM], "201", true),
        (open(SinglePost::Ignored), &[STREAM], "202", false),
        (Preset::distribution(Mode::Open), &[STREAM], "202", false),
        (open(SinglePost::OctetStream), &[STREAM], "201", true),
        (open(SinglePost::OctetStream), &[], "415", false),
        (open(SinglePost::Refused(refused)), &[STREAM], "405 UNSUPPORTED", false),
    ];
    for (preset, lines, expected, kept) in rows {
        let bench = Bench::open(preset).await;
        let digest = sha256(b"whole");
        let reply = bench.send("POST", &format!("{UPLOADS}?digest={digest}"), lines, b"whole").await;
        assert_eq!(verdict(&reply), expected);
        assert_eq!(bench.stored(&digest).is_some(), kept);
        let entry = bench.sim.ledger().take().remove(0);
        assert_eq!(entry.body_len, if kept { 5 } else { 0 }, "{entry}");
        if expected == "202" {
            let at = resolve(UPLOADS, &reply);
            assert_eq!(bench.send("PUT", &with_digest(&at, &digest), &[], b"whole").await.status, 201);
        }
    }
}
