//! The limits of the registries, each at its edge.

use crate::sim::{Length, Limit, Preset, Reply as Answer, sha256};
use crate::simulators::{Bench, CHUNKED, STREAM, UPLOADS, resolve, verdict, with_digest};

const MIB: usize = 1 << 20;

#[tokio::test(start_paused = true)]
async fn ghcr_takes_four_mebibytes_in_a_ranged_patch() {
    let edge = 4 * MIB;
    let rows = [
        (Some(format!("content-range: 0-{}", edge - 1)), edge, 202),
        (Some(format!("content-range: 0-{edge}")), edge + 1, 416),
        (None, edge + 1, 202),
    ];
    for (range, len, status) in rows {
        for encoding in [None, Some(CHUNKED)] {
            let bench = Bench::open(Preset::ghcr()).await;
            let at = bench.session().await;
            let lines: Vec<&str> = range.as_deref().into_iter().chain(encoding).collect();
            let reply = bench.send("PATCH", &at, &lines, &vec![7; len]).await;
            assert_eq!(reply.status.as_u16(), status, "{lines:?}");
            if status == 416 {
                let message = "the request body is too large and exceeds the maximum permissible limit of 4.00MiB";
                assert_eq!(reply.json()["errors"][0]["message"], message);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_patch_may_replace_what_came_before() {
    let bench = Bench::open(Preset::ghcr().pushes(|push| push.patches.replace = true)).await;
    let mut at = bench.session().await;
    for (range, body) in [("content-range: 0-2", b"abc"), ("content-range: 3-5", b"def")] {
        let reply = bench.send("PATCH", &at, &[range], body).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        at = resolve(&at, &reply);
    }
    let reply = bench.send("PUT", &with_digest(&at, &sha256(b"abcdef")), &[], b"").await;
    assert_eq!(verdict(&reply), "400 DIGEST_INVALID");
}

#[tokio::test(start_paused = true)]
async fn acr_takes_twenty_mebibytes_in_a_put_and_wants_to_know_the_length_of_a_ranged_patch() {
    let body = vec![7; 20 * MIB + 1];
    let digest = sha256(&body[1..]);
    for (from, encoding, expected) in [(1, STREAM, 201), (0, STREAM, 413), (0, CHUNKED, 413)] {
        let bench = Bench::open(Preset::acr()).await;
        let at = with_digest(&bench.session().await, &digest);
        let reply = bench.send("PUT", &at, &[encoding], &body[from..]).await;
        assert_eq!(reply.status.as_u16(), expected);
        if expected == 413 {
            assert_eq!(reply.body, "413 Request Entity Too Large - AzureContainerRegistry");
        }
    }
    let range = "content-range: 0-2";
    let rows: [(Length, &[&str], &str); 6] = [
        (Length::WithRange, &[CHUNKED, range], "400 CONTENT_LENGTH_INVALID"),
        (Length::WithRange, &[CHUNKED], "202"),
        (Length::WithRange, &[range], "202"),
        (Length::Always, &[CHUNKED], "400 CONTENT_LENGTH_INVALID"),
        (Length::Always, &[range], "202"),
        (Length::WithRange, &["content-range: bytes 0-2/*"], "400 BLOB_UPLOAD_INVALID"),
    ];
    for (length, lines, expected) in rows {
        let bench = Bench::open(Preset::acr().pushes(|push| push.patches.length = length)).await;
        let at = bench.session().await;
        assert!(at.starts_with("/v2/acme/app/web/blobs/uploads/upload-1?_nouploadcache=false&_state="), "{at}");
        assert_eq!(verdict(&bench.send("PATCH", &at, lines, b"abc").await), expected, "{length:?} {lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn artifact_registry_takes_one_stream() {
    let none = Limit::new(0, Answer::error(405, "UNSUPPORTED", "no"));
    let rows = [
        (Preset::google(), ["202", "400 BLOB_UPLOAD_INVALID"]),
        (Preset::google().pushes(|push| push.patches.count = Some(none)), ["405 UNSUPPORTED", "405 UNSUPPORTED"]),
    ];
    for (preset, expected) in rows {
        let bench = Bench::open(preset).await;
        let mut at = bench.session().await;
        for expected in expected {
            let reply = bench.send("PATCH", &at, &[], b"abc").await;
            assert_eq!(verdict(&reply), expected);
            at = reply.header("location").map_or(at, str::to_owned);
        }
    }
    let bench = Bench::open(Preset::google()).await;
    let at = bench.session().await;
    assert_eq!(bench.send("PUT", &with_digest(&at, &sha256(b"abc")), &[], b"abc").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn artifactory_takes_post_patch_and_an_empty_put() {
    let digest = sha256(b"abc");
    let bench = Bench::open(Preset::artifactory()).await;
    let whole = bench.send("POST", &format!("{UPLOADS}?digest={digest}"), &[STREAM], b"abc").await;
    assert_eq!(verdict(&whole), "400 UNSUPPORTED");
    for encoding in [STREAM, CHUNKED] {
        let put = bench.send("PUT", &with_digest(&bench.session().await, &digest), &[encoding], b"abc").await;
        assert_eq!(verdict(&put), "400 UNSUPPORTED");
    }
    let at = bench.session().await;
    let at = resolve(&at, &bench.send("PATCH", &at, &[CHUNKED], b"abc").await);
    assert_eq!(bench.send("PUT", &with_digest(&at, &digest), &[], b"").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn ecr_says_201_and_a_range_that_stays_at_the_first_chunk() {
    let bench = Bench::open(Preset::ecr()).await;
    bench.registry.store().write("acme/app/web", |_| ());
    let mut at = bench.session().await;
    for (range, body) in [("content-range: 0-2", "abc"), ("content-range: 3-6", "defg")] {
        let reply = bench.send("PATCH", &at, &[range], body.as_bytes()).await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (201, Some("0-2")), "{range}");
        at = resolve(&at, &reply);
    }
    // Who believed the range sends the rest again.
    assert_eq!(bench.send("PATCH", &at, &["content-range: 3-6"], b"defg").await.status, 416);
    let reply = bench.send("GET", &at, &[], b"").await;
    assert_eq!(reply.header("range"), Some("0-6"));
    let at = resolve(&at, &reply);
    assert_eq!(bench.send("PUT", &with_digest(&at, &sha256(b"abcdefg")), &[], b"").await.status, 201);
    let manifest = bench.send("PUT", "/v2/acme/new/manifests/1", &["content-type: a/b"], b"{}").await;
    let post = bench.send("POST", "/v2/acme/new/blobs/uploads/", &[], b"").await;
    assert_eq!((verdict(&manifest), verdict(&post)), ("404 NAME_UNKNOWN".to_owned(), "404 NAME_UNKNOWN".to_owned()));
}
