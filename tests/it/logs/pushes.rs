//! One line a push.

use http::Method;
use serde_json::json;

use super::{World, assert_told};
use crate::harness::{put, request, with};
use crate::sim::{Blob, Fault, Reply};
use crate::uploads::{and, carrying, location};

const REPOSITORY: &str = "/v2/reg.test/team/new";

impl World {
    /// As docker sends a blob: is it there, if not then here it is. The status of the last answer.
    async fn send_blob(&self, blob: &Blob) -> u16 {
        let there = self.regpass.send(request(Method::HEAD, &format!("{REPOSITORY}/blobs/{}", blob.digest))).await;
        if there.status == 200 {
            return 200;
        }
        let begun = self.regpass.send(request(Method::POST, &format!("{REPOSITORY}/blobs/uploads/"))).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        let target = and(&location(&begun), &format!("digest={}", blob.digest));
        self.regpass.send(carrying(Method::PUT, &target, blob.slice().to_bytes())).await.status.as_u16()
    }

    /// The whole image; how many bytes that was.
    async fn push(&self, tag: &str) -> usize {
        let mut bytes = 0;
        for blob in &self.image.blobs {
            assert_eq!(self.send_blob(blob).await, 201);
            bytes += blob.slice().to_bytes().len();
        }
        let (top, children) = self.image.manifests.split_last().unwrap();
        for child in children {
            let target = format!("{REPOSITORY}/manifests/{}", child.digest);
            let sent = with(carrying(Method::PUT, &target, child.bytes.clone()), "content-type", &child.media_type);
            assert_eq!(self.regpass.send(sent).await.status, 201);
            bytes += child.bytes.len();
        }
        let named = put(&format!("{REPOSITORY}/manifests/{tag}"), &self.image);
        assert_eq!(self.regpass.send(named).await.status, 201);
        bytes + top.bytes.len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_is_one_line_and_asking_what_is_there_already_is_no_failure() {
    let world = World::new().await;
    let bytes = world.push("2").await;
    let told = world.only_image().await;
    let expected = json!({
        "image": "reg.test/team/new:2",
        "digest": world.top(),
        "direction": "push",
        "outcome": "ok",
        "manifests": world.image.manifests.len(),
        "blobs": world.image.blobs.len(),
        "requests": world.image.blobs.len() * 3 + world.image.manifests.len(),
        "bytes": bytes,
    });
    assert_told(&told, &expected);
    assert!(told["token_fetches"].as_u64().unwrap() >= 1, "{told:#}");
}

#[tokio::test(start_paused = true)]
async fn a_second_tag_of_what_was_pushed_is_a_push_of_its_own() {
    let world = World::new().await;
    world.push("2").await;
    let again = put(&format!("{REPOSITORY}/manifests/latest"), &world.image);
    assert_eq!(world.regpass.send(again).await.status, 201);
    let images = world.images().await;
    assert_eq!(images.len(), 2, "{images:#?}");
    assert_told(&images[1], &json!({ "image": "reg.test/team/new:latest", "manifests": 1, "blobs": 0 }));
}

#[tokio::test(start_paused = true)]
async fn a_push_without_its_manifest_is_unfinished_and_a_refused_one_failed() {
    let world = World::new().await;
    assert_eq!(world.send_blob(&world.image.blobs[0]).await, 201);
    assert_told(&world.only_image().await, &json!({ "direction": "push", "outcome": "unfinished", "blobs": 1 }));

    let world = World::new().await;
    assert_eq!(world.send_blob(&world.image.blobs[0]).await, 201);
    let full = Fault::answer(Reply::error(403, "DENIED", "the quota is used up")).method(Method::PUT);
    let fault = world.registry.registry().inject(full);
    let refused = put(&format!("{REPOSITORY}/manifests/2"), &world.image);
    assert_eq!(world.regpass.send(refused).await.status, 403);
    let told = world.only_image().await;
    assert_told(&told, &json!({ "image": "reg.test/team/new:2", "outcome": "failed", "step": "registry" }));
    fault.lift();
}

#[tokio::test(start_paused = true)]
async fn what_failed_on_the_way_does_not_count_once_the_tag_is_there() {
    let world = World::new().await;
    let fault = world.registry.registry().inject(Fault::text(500, "no").method(Method::PUT));
    assert_eq!(world.send_blob(&world.image.blobs[0]).await, 500);
    fault.lift();
    world.push("2").await;
    assert_told(&world.only_image().await, &json!({ "outcome": "ok", "blobs": world.image.blobs.len() }));
}

#[tokio::test(start_paused = true)]
async fn a_pull_beside_a_push_of_the_same_repository_is_a_line_of_its_own() {
    let world = World::new().await;
    world.push("2").await;
    let pulled = world.regpass.get(&format!("{REPOSITORY}/manifests/2")).await;
    assert_eq!(pulled.status, 200);
    let images = world.images().await;
    let mut ways: Vec<_> = images.iter().map(|image| image["direction"].as_str().unwrap()).collect();
    ways.sort_unstable();
    assert_eq!(ways, ["pull", "push"], "{images:#?}");
}
