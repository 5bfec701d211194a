//! Chunks for Artifact Registry, which takes none: kept by this regpass until the PUT.

use http::Method;

use super::whole::{PUT, REPOSITORY};
use super::{CHUNKED, Stage};
use crate::harness::{Regpass, only};
use crate::sim::{Preset, Sim};
use crate::stage::assert_refused;

const CANCEL: &str = "DELETE /artifacts-uploads/namespaces/project/repositories/images/uploads/upload-1 204";

/// A stage whose configuration begins with `top`, and that configuration.
async fn set(top: &str) -> (Stage, String) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::google()).await;
    registry.user("alice", "alices password");
    let more = format!("{}\nprofile = \"google\"", super::super::PUSHER);
    let text = format!("{top}\n{}", only(&registry, &more));
    (Stage { regpass: Regpass::start(&sim, &text), sim, registry }, text)
}

/// An upload of which `first ` has come as a ranged chunk.
async fn begun() -> (Stage, String) {
    let (stage, location) = Stage::begun(Preset::google(), "google", REPOSITORY).await;
    let (location, range) = stage.patched(&location, "first ", &[("content-range", "0-5")]).await;
    assert_eq!(range, "0-5");
    (stage, location)
}

#[tokio::test(start_paused = true)]
async fn ranged_chunks_go_as_one_put() {
    let (stage, location) = begun().await;
    let (location, range) = stage.patched(&location, "second ", &[("content-range", "6-12"), CHUNKED]).await;
    assert_eq!(range, "0-12");
    let (location, range) = stage.patched(&location, "third", &[("content-range", "bytes 13-17/18")]).await;
    assert_eq!(range, "0-17");
    stage.expect_steps(&[]);
    let reply = stage.put(&location, "", b"first second third", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second third");
    stage.expect_steps(&[&format!("{PUT} 18 201")]);
}

#[tokio::test(start_paused = true)]
async fn the_last_part_may_come_with_the_put() {
    for (headers, framing) in [(&[][..], "12"), (&[CHUNKED], "chunked 12")] {
        let (stage, location) = begun().await;
        let reply = stage.put(&location, "second", b"first second", headers).await;
        stage.assert_stored(&reply, REPOSITORY, b"first second");
        stage.expect_steps(&[&format!("{PUT} {framing} 201")]);
    }
}

/// All of them are here still, so a token that is over costs the client nothing.
#[tokio::test(start_paused = true)]
async fn the_put_is_sent_again_with_a_new_token() {
    let (stage, location) = begun().await;
    stage.registry.revoke_tokens();
    let reply = stage.put(&location, "second", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
    stage.expect_steps(&[
        &format!("{PUT} 12 401"),
        "GET /v2/token?scope=repository:project/images/app:pull,push 200",
        &format!("{PUT} 12 201"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn how_far_they_are_is_told_without_the_registry() {
    let (stage, location) = begun().await;
    let status = stage.regpass.get(&location).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, Some("0-5")), "{status:?}");
    stage.expect_steps(&[]);
    let location = super::super::location(&status);
    let reply = stage.put(&location, "second", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_upload_is_gone_here_and_there() {
    let (stage, location) = begun().await;
    let reply = stage.send(Method::DELETE, &location, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0), "{reply:?}");
    let entries = stage.sim.ledger().take();
    assert_eq!(entries.iter().map(super::step).next_back().unwrap(), CANCEL);
    assert!(stage.registry.open_uploads().is_empty());
    assert_refused(&stage.regpass.get(&location).await, "404 BLOB_UPLOAD_UNKNOWN", &["start the upload anew"]);
    stage.expect_steps(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_out_of_order_is_a_416_that_says_where_to_go_on() {
    let (stage, location) = begun().await;
    for range in ["0-5", "7-12", "5-10"] {
        let reply = stage.send_with(Method::PATCH, &location, "second", &[("content-range", range)]).await;
        assert_refused(&reply, "416 RANGE_INVALID", &["6 bytes were taken"]);
        assert_eq!(reply.header("range"), Some("0-5"));
        let location = super::super::location(&reply);
        assert_eq!(stage.regpass.get(&location).await.status, 204, "{range}");
    }
    stage.expect_steps(&[]);
    let (location, _) = stage.patched(&location, "second", &[("content-range", "6-11")]).await;
    let reply = stage.put(&location, "", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_is_not_what_its_range_says_is_not_kept() {
    let (stage, location) = begun().await;
    let reply = stage.send_with(Method::PATCH, &location, "second", &[("content-range", "6-12")]).await;
    assert_refused(&reply, "400 SIZE_INVALID", &["it has 6 bytes, and its Content-Range tells of 7"]);
    let reply = stage.put(&location, "second", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
}

/// Who sends a chunk twice, because its answer was lost, comes with a location that is no longer true.
#[tokio::test(start_paused = true)]
async fn an_old_location_is_a_404_and_changes_nothing() {
    let (stage, first) = begun().await;
    let (second, _) = stage.patched(&first, "second", &[("content-range", "6-11")]).await;
    let again = stage.send_with(Method::PATCH, &first, "second", &[("content-range", "6-11")]).await;
    assert_refused(&again, "404 BLOB_UPLOAD_UNKNOWN", &["start the upload anew"]);
    let reply = stage.put(&second, "", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
}

#[tokio::test(start_paused = true)]
async fn more_than_upload_spool_is_a_413_that_names_it() {
    let (stage, _) = set("upload_spool = 0").await;
    let location = stage.begin(REPOSITORY).await;
    stage.sim.ledger().take();
    // A little fits into memory.
    let (location, _) = stage.patched(&location, vec![0; 100_000], &[("content-range", "0-99999")]).await;
    let range = [("content-range", "100000-199999")];
    let reply = stage.send_with(Method::PATCH, &location, vec![0; 100_000], &range).await;
    assert_refused(&reply, "413 SIZE_INVALID", &["takes no chunks", "raise 'upload_spool'"]);
    // What was kept is given up: the client starts anew, or sends the blob in one request.
    assert_refused(&stage.regpass.get(&location).await, "404 BLOB_UPLOAD_UNKNOWN", &[]);
    stage.expect_steps(&[]);
    let blob = vec![0; 200_000];
    let location = stage.begin(REPOSITORY).await;
    let reply = stage.put(&location, blob.clone(), &blob, &[]).await;
    stage.assert_stored(&reply, REPOSITORY, &blob);
}

/// Not the client's fault, and no reason to give up for good.
#[tokio::test(start_paused = true)]
async fn what_others_leave_no_space_for_is_a_503() {
    let (stage, _) = set("upload_spool = 1000").await;
    let (chunk, range) = (vec![0; 131_072 + 1000], [("content-range", "0-132071")]);
    for _ in 0..16 {
        let location = stage.begin(REPOSITORY).await;
        stage.patched(&location, chunk.clone(), &range).await;
    }
    let location = stage.begin(REPOSITORY).await;
    let reply = stage.send_with(Method::PATCH, &location, chunk, &range).await;
    assert_refused(&reply, "503 UNAVAILABLE", &["other bodies take all the space"]);
    assert_eq!(reply.header("retry-after"), Some("60"));
}

#[tokio::test(start_paused = true)]
async fn beyond_memory_they_are_in_a_file() {
    let (stage, _) = set("upload_spool = \"1MiB\"").await;
    let blob = super::telling(900_000);
    let location = stage.begin(REPOSITORY).await;
    stage.sim.ledger().take();
    let (location, _) = stage.patched(&location, blob[..400_000].to_vec(), &[("content-range", "0-399999")]).await;
    let (location, _) = stage.patched(&location, blob[400_000..].to_vec(), &[("content-range", "400000-899999")]).await;
    let reply = stage.put(&location, "", &blob, &[]).await;
    stage.assert_stored(&reply, REPOSITORY, &blob);
    stage.expect_steps(&[&format!("{PUT} 900000 201")]);
}

#[tokio::test(start_paused = true)]
async fn another_replica_does_not_have_them() {
    let (stage, text) = set("upload_key = \"a key of both replicas\"").await;
    let other = Regpass::start(&stage.sim, &text);
    let location = stage.begin(REPOSITORY).await;
    let (location, _) = stage.patched(&location, "first ", &[("content-range", "0-5")]).await;
    stage.sim.ledger().take();
    let patch = super::with(super::carrying(Method::PATCH, &location, "second"), "content-range", "6-11");
    let put = super::and(&location, &format!("digest={}", crate::sim::sha256(b"first second")));
    for request in [super::carrying(Method::GET, &location, ""), patch, super::carrying(Method::PUT, &put, "second")] {
        let reply = other.send(request).await;
        assert_refused(&reply, "404 BLOB_UPLOAD_UNKNOWN", &["kept by another regpass", "start the upload anew"]);
    }
    stage.expect_steps(&[]);
    let reply = stage.put(&location, "second", b"first second", &[]).await;
    stage.assert_stored(&reply, REPOSITORY, b"first second");
}
