//! The limits of uploads at each registry, at their boundaries.

use crate::sim::{ContentLength, Limit, Preset, Reply as Answer, sha256};
use crate::simulator_self_tests::{CHUNKED, STREAM, TestBench, UPLOADS, resolve, status_and_code, with_digest};

const MIB: usize = 1 << 20;

#[tokio::test(start_paused = true)]
async fn ghcr_accepts_four_mebibytes_in_a_patch_with_a_content_range() {
    let edge = 4 * MIB;
    let rows = [
        (Some(format!("content-range: 0-{}", edge - 1)), edge, 202),
        (Some(format!("content-range: 0-{edge}")), edge + 1, 416),
        (None, edge + 1, 202),
    ];
    for (range, len, status) in rows {
        for encoding in [None, Some(CHUNKED)] {
            let bench = TestBench::open(Preset::ghcr()).await;
            let session = bench.open_session().await;
            let lines: Vec<&str> = range.as_deref().into_iter().chain(encoding).collect();
            let reply = bench.send("PATCH", &session, &lines, &vec![7; len]).await;
            assert_eq!(reply.status.as_u16(), status, "{lines:?}");
            if status == 416 {
                let message = "the request body is too large and exceeds the maximum permissible limit of 4.00MiB";
                assert_eq!(reply.json()["errors"][0]["message"], message);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn patch_replaces_the_content_before_it_if_the_preset_says_so() {
    let bench = TestBench::open(Preset::ghcr().with_push_rules(|push| push.patches.replaces_previous = true)).await;
    let mut session = bench.open_session().await;
    for (range, body) in [("content-range: 0-2", b"abc"), ("content-range: 3-5", b"def")] {
        let reply = bench.send("PATCH", &session, &[range], body).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        session = resolve(&session, &reply);
    }
    let reply = bench.send("PUT", &with_digest(&session, &sha256(b"abcdef")), &[], b"").await;
    assert_eq!(status_and_code(&reply), "400 DIGEST_INVALID");
}

#[tokio::test(start_paused = true)]
async fn acr_accepts_twenty_mebibytes_in_a_put_and_requires_the_length_of_a_ranged_patch() {
    let body = vec![7; 20 * MIB + 1];
    let digest = sha256(&body[1..]);
    for (from, encoding, expected) in [(1, STREAM, 201), (0, STREAM, 413), (0, CHUNKED, 413)] {
        let bench = TestBench::open(Preset::acr()).await;
        let session = with_digest(&bench.open_session().await, &digest);
        let reply = bench.send("PUT", &session, &[encoding], &body[from..]).await;
        assert_eq!(reply.status.as_u16(), expected);
        if expected == 413 {
            assert_eq!(reply.body, "413 Request Entity Too Large - AzureContainerRegistry");
        }
    }
    let range = "content-range: 0-2";
    let rows: [(ContentLength, &[&str], &str); 6] = [
        (ContentLength::RequiredWithRange, &[CHUNKED, range], "400 CONTENT_LENGTH_INVALID"),
        (ContentLength::RequiredWithRange, &[CHUNKED], "202"),
        (ContentLength::RequiredWithRange, &[range], "202"),
        (ContentLength::Required, &[CHUNKED], "400 CONTENT_LENGTH_INVALID"),
        (ContentLength::Required, &[range], "202"),
        (ContentLength::RequiredWithRange, &["content-range: bytes 0-2/*"], "400 BLOB_UPLOAD_INVALID"),
    ];
    for (length, lines, expected) in rows {
        let bench = TestBench::open(Preset::acr().with_push_rules(|push| push.patches.content_length = length)).await;
        let session = bench.open_session().await;
        assert!(
            session.starts_with("/v2/acme/app/web/blobs/uploads/upload-1?_nouploadcache=false&_state="),
            "{session}"
        );
        assert_eq!(
            status_and_code(&bench.send("PATCH", &session, lines, b"abc").await),
            expected,
            "{length:?} {lines:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn artifact_registry_accepts_one_patch_per_session() {
    let none = Limit::new(0, Answer::error(405, "UNSUPPORTED", "no"));
    let rows = [
        (Preset::google(), ["202", "400 BLOB_UPLOAD_INVALID"]),
        (
            Preset::google().with_push_rules(|push| push.patches.per_session_limit = Some(none)),
            ["405 UNSUPPORTED", "405 UNSUPPORTED"],
        ),
    ];
    for (preset, expected) in rows {
        let bench = TestBench::open(preset).await;
        let mut session = bench.open_session().await;
        for expected in expected {
            let reply = bench.send("PATCH", &session, &[], b"abc").await;
            assert_eq!(status_and_code(&reply), expected);
            session = reply.header("location").map_or(session, str::to_owned);
        }
    }
    let bench = TestBench::open(Preset::google()).await;
    let session = bench.open_session().await;
    assert_eq!(bench.send("PUT", &with_digest(&session, &sha256(b"abc")), &[], b"abc").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn artifactory_accepts_only_post_patch_and_an_empty_put() {
    let digest = sha256(b"abc");
    let bench = TestBench::open(Preset::artifactory()).await;
    let post_reply = bench.send("POST", &format!("{UPLOADS}?digest={digest}"), &[STREAM], b"abc").await;
    assert_eq!(status_and_code(&post_reply), "400 UNSUPPORTED");
    for encoding in [STREAM, CHUNKED] {
        let put = bench.send("PUT", &with_digest(&bench.open_session().await, &digest), &[encoding], b"abc").await;
        assert_eq!(status_and_code(&put), "400 UNSUPPORTED");
    }
    let session = bench.open_session().await;
    let session = resolve(&session, &bench.send("PATCH", &session, &[CHUNKED], b"abc").await);
    assert_eq!(bench.send("PUT", &with_digest(&session, &digest), &[], b"").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn ecr_replies_201_to_a_patch_with_the_range_of_the_first_chunk() {
    let bench = TestBench::open(Preset::ecr()).await;
    bench.registry.store().write("acme/app/web", |_| ());
    let mut session = bench.open_session().await;
    for (range, body) in [("content-range: 0-2", "abc"), ("content-range: 3-6", "defg")] {
        let reply = bench.send("PATCH", &session, &[range], body.as_bytes()).await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (201, Some("0-2")), "{range}");
        session = resolve(&session, &reply);
    }
    // A client that trusts the Range sends the second chunk again.
    assert_eq!(bench.send("PATCH", &session, &["content-range: 3-6"], b"defg").await.status, 416);
    let reply = bench.send("GET", &session, &[], b"").await;
    assert_eq!(reply.header("range"), Some("0-6"));
    let session = resolve(&session, &reply);
    assert_eq!(bench.send("PUT", &with_digest(&session, &sha256(b"abcdefg")), &[], b"").await.status, 201);
    let manifest = bench.send("PUT", "/v2/acme/new/manifests/1", &["content-type: a/b"], b"{}").await;
    let post = bench.send("POST", "/v2/acme/new/blobs/uploads/", &[], b"").await;
    assert_eq!(
        (status_and_code(&manifest), status_and_code(&post)),
        ("404 NAME_UNKNOWN".to_owned(), "404 NAME_UNKNOWN".to_owned())
    );
}
