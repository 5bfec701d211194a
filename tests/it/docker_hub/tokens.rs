//! Tokens: their scopes, their reuse and their renewal.

use std::time::Duration;

use tokio::time::advance;

use super::{COLD, MANIFEST, TAGS, WARM, start_warm};
use crate::proxied_registry::ProxiedRegistry;
use crate::seed_registries::{assert_background_renewal, assert_pull_costs};
use crate::sim::{Image, ImageFormat};

#[tokio::test(start_paused = true)]
async fn anonymous_pull_fetches_a_token_once() {
    assert_pull_costs(&ProxiedRegistry::docker_hub("").await, MANIFEST, &COLD, WARM).await;
}

#[tokio::test(start_paused = true)]
async fn one_token_serves_all_reads_of_a_repository() {
    let proxied = start_warm("").await;
    let digest = proxied.layer();
    let blob = format!("/v2/library/python/blobs/{digest}");
    proxied.head(MANIFEST).await;
    proxied.get(TAGS).await;
    proxied.head(TAGS).await;
    assert_eq!(proxied.get(&blob).await.status, 200);
    proxied.expect(&[
        "registry HEAD /v2/library/python/manifests/3.10 bearer#1 200",
        "registry GET /v2/library/python/tags/list bearer#1 200",
        "registry HEAD /v2/library/python/tags/list bearer#1 200",
        &format!("registry GET {blob} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 200"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn each_repository_has_its_own_token() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    proxied.registry.publish("library/alpine", "3", &Image::single("alpine", ImageFormat::Oci));
    proxied.warm(MANIFEST).await;
    assert_eq!(proxied.get("/v2/alpine/manifests/3").await.status, 200);
    proxied.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:library/alpine:pull anonymous 200",
        "registry GET /v2/library/alpine/manifests/3 bearer#2 200",
    ]);
    proxied.get(MANIFEST).await;
    proxied.get("/v2/alpine/tags/list").await;
    proxied.expect(&[WARM, "registry GET /v2/library/alpine/tags/list bearer#2 200"]);
}

#[tokio::test(start_paused = true)]
async fn token_in_use_is_renewed_in_the_background() {
    assert_background_renewal(&start_warm("").await, MANIFEST, Duration::from_secs(60), 12..=20).await;
}

#[tokio::test(start_paused = true)]
async fn token_is_not_sent_after_five_minutes() {
    let proxied = start_warm("").await;
    advance(Duration::from_secs(299)).await;
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.expect(&[COLD[1], "registry GET /v2/library/python/manifests/3.10 bearer#2 200"]);
}
