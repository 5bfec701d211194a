//! The log line of a push.

use http::Method;
use serde_json::json;

use super::{Setup, assert_fields};
use crate::harness::{manifest_put, request, with_header};
use crate::sim::{Blob, Fault, Reply};
use crate::uploads::{location_of, request_with_body, with_query};

const REPOSITORY: &str = "/v2/reg.test/team/new";

impl Setup {
    /// Uploads a blob as docker does, unless HEAD finds it. Returns the status of the last reply.
    async fn send_blob(&self, blob: &Blob) -> u16 {
        let existing = self.regpass.send(request(Method::HEAD, &format!("{REPOSITORY}/blobs/{}", blob.digest))).await;
        if existing.status == 200 {
            return 200;
        }
        let started = self.regpass.send(request(Method::POST, &format!("{REPOSITORY}/blobs/uploads/"))).await;
        assert_eq!(started.status, 202, "{started:?}");
        let target = with_query(&location_of(&started), &format!("digest={}", blob.digest));
        self.regpass.send(request_with_body(Method::PUT, &target, blob.slice().to_bytes())).await.status.as_u16()
    }

    /// Pushes the whole image; returns the number of bytes.
    async fn push(&self, tag: &str) -> usize {
        let mut bytes = 0;
        for blob in &self.image.blobs {
            assert_eq!(self.send_blob(blob).await, 201);
            bytes += blob.slice().to_bytes().len();
        }
        let (top, children) = self.image.manifests.split_last().unwrap();
        for child in children {
            let target = format!("{REPOSITORY}/manifests/{}", child.digest);
            let sent = with_header(
                request_with_body(Method::PUT, &target, child.bytes.clone()),
                "content-type",
                &child.media_type,
            );
            assert_eq!(self.regpass.send(sent).await.status, 201);
            bytes += child.bytes.len();
        }
        let named = manifest_put(&format!("{REPOSITORY}/manifests/{tag}"), &self.image);
        assert_eq!(self.regpass.send(named).await.status, 201);
        bytes + top.bytes.len()
    }
}

#[tokio::test(start_paused = true)]
async fn push_is_one_line_and_a_missing_blob_is_no_failure() {
    let setup = Setup::new().await;
    let bytes = setup.push("2").await;
    let logged = setup.only_image().await;
    let expected = json!({
        "image": "reg.test/team/new:2",
        "digest": setup.top(),
        "direction": "push",
        "outcome": "ok",
        "manifests": setup.image.manifests.len(),
        "blobs": setup.image.blobs.len(),
        "requests": setup.image.blobs.len() * 3 + setup.image.manifests.len(),
        "bytes": bytes,
    });
    assert_fields(&logged, &expected);
    assert!(logged["token_fetches"].as_u64().unwrap() >= 1, "{logged:#}");
}

#[tokio::test(start_paused = true)]
async fn second_tag_of_a_pushed_image_is_a_push_of_its_own() {
    let setup = Setup::new().await;
    setup.push("2").await;
    let again = manifest_put(&format!("{REPOSITORY}/manifests/latest"), &setup.image);
    assert_eq!(setup.regpass.send(again).await.status, 201);
    let images = setup.images().await;
    assert_eq!(images.len(), 2, "{images:#?}");
    assert_fields(&images[1], &json!({ "image": "reg.test/team/new:latest", "manifests": 1, "blobs": 0 }));
}

#[tokio::test(start_paused = true)]
async fn push_without_manifest_is_unfinished_and_a_denied_one_failed() {
    let setup = Setup::new().await;
    assert_eq!(setup.send_blob(&setup.image.blobs[0]).await, 201);
    assert_fields(&setup.only_image().await, &json!({ "direction": "push", "outcome": "unfinished", "blobs": 1 }));

    let setup = Setup::new().await;
    assert_eq!(setup.send_blob(&setup.image.blobs[0]).await, 201);
    let full = Fault::answer(Reply::error(403, "DENIED", "the quota is used up")).method(Method::PUT);
    let fault = setup.registry.api().inject(full);
    let denied = manifest_put(&format!("{REPOSITORY}/manifests/2"), &setup.image);
    assert_eq!(setup.regpass.send(denied).await.status, 403);
    let logged = setup.only_image().await;
    assert_fields(&logged, &json!({ "image": "reg.test/team/new:2", "outcome": "failed", "step": "registry" }));
    fault.remove();
}

#[tokio::test(start_paused = true)]
async fn failure_within_a_push_that_succeeds_is_not_logged() {
    let setup = Setup::new().await;
    let fault = setup.registry.api().inject(Fault::text(500, "no").method(Method::PUT));
    assert_eq!(setup.send_blob(&setup.image.blobs[0]).await, 500);
    fault.remove();
    setup.push("2").await;
    assert_fields(&setup.only_image().await, &json!({ "outcome": "ok", "blobs": setup.image.blobs.len() }));
}

#[tokio::test(start_paused = true)]
async fn pull_and_push_of_one_repository_are_two_lines() {
    let setup = Setup::new().await;
    setup.push("2").await;
    let pulled = setup.regpass.get(&format!("{REPOSITORY}/manifests/2")).await;
    assert_eq!(pulled.status, 200);
    let images = setup.images().await;
    let mut directions: Vec<_> = images.iter().map(|image| image["direction"].as_str().unwrap()).collect();
    directions.sort_unstable();
    assert_eq!(directions, ["pull", "push"], "{images:#?}");
}
