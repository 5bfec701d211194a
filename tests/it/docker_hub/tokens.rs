//! The token dance: service, scopes, what was granted, how long it lasts.

use std::time::Duration;

use http::Method;
use tokio::time::{advance, sleep};

use super::{COLD, MANIFEST, TAGS, WARM};
use crate::harness::request;
use crate::sim::{Family, Image};
use crate::stage::Stage;

#[tokio::test(start_paused = true)]
async fn even_an_anonymous_pull_gets_its_token() {
    let stage = Stage::docker_hub("").await;
    let reply = stage.get(MANIFEST).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("server-timing").unwrap().starts_with("auth;desc=\"fetched\"")),
        (200, true)
    );
    stage.expect(&COLD);
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn one_token_of_a_repository_serves_every_read_of_it() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    let digest = stage.layer();
    let blob = format!("/v2/library/python/blobs/{digest}");
    stage.head(MANIFEST).await;
    stage.get(TAGS).await;
    stage.head(TAGS).await;
    assert_eq!(stage.get(&blob).await.status, 200);
    stage.expect(&[
        "registry HEAD /v2/library/python/manifests/3.10 bearer#1 200",
        "registry GET /v2/library/python/tags/list bearer#1 200",
        "registry HEAD /v2/library/python/tags/list bearer#1 200",
        &format!("registry GET {blob} bearer#1 307"),
        &format!("blobs GET /signed/{digest}?expires=…&signature=… anonymous 200"),
    ]);
}

#[tokio::test(start_paused = true)]
async fn two_repositories_cost_two_tokens_and_neither_is_used_for_the_other() {
    let stage = Stage::docker_hub("").await;
    stage.registry.publish("library/alpine", "3", &Image::single("alpine", Family::Oci));
    stage.warm(MANIFEST).await;
    assert_eq!(stage.get("/v2/alpine/manifests/3").await.status, 200);
    stage.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:library/alpine:pull anonymous 200",
        "registry GET /v2/library/alpine/manifests/3 bearer#2 200",
    ]);
    stage.get(MANIFEST).await;
    stage.get("/v2/alpine/tags/list").await;
    stage.expect(&[WARM, "registry GET /v2/library/alpine/tags/list bearer#2 200"]);
}

/// The token reply is a 200; only the token's `access` tells that `push` was left out.
#[tokio::test(start_paused = true)]
async fn a_token_of_five_minutes_is_renewed_behind_the_requests() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for minute in 1..=60 {
        sleep(Duration::from_secs(60)).await;
        let reply = stage.send(request(Method::GET, MANIFEST)).await;
        assert_eq!(reply.status, 200, "minute {minute}");
        assert!(reply.header("server-timing").unwrap().contains("desc=\"cached\""), "minute {minute}: {reply:?}");
    }
    let entries = stage.sim.ledger().take();
    let tokens = entries.iter().filter(|entry| entry.server == "token").count();
    assert!((12..=20).contains(&tokens), "an hour took {tokens} tokens");
    assert!(entries.iter().all(|entry| entry.status.unwrap() == 200), "{entries:?}");
    assert_eq!(entries.len() - tokens, 60, "one request to the registry for each of the client");
}

#[tokio::test(start_paused = true)]
async fn a_token_past_its_five_minutes_is_never_tried() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    advance(Duration::from_secs(299)).await;
    assert_eq!(stage.get(MANIFEST).await.status, 200);
    stage.expect(&[COLD[1], "registry GET /v2/library/python/manifests/3.10 bearer#2 200"]);
}
