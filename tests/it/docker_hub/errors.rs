//! Refusals and limits, in the one form that clients read.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::{COLD, MANIFEST, WARM};
use crate::sim::{Fault, Preset};
use crate::stage::{Stage, assert_clean, assert_refused};

/// The registry says 401 `insufficient_scope` whatever the token: to a client that would mean "log in".
#[tokio::test(start_paused = true)]
async fn a_repository_that_does_not_exist_is_a_403_that_says_so() {
    let stage = Stage::docker_hub("").await;
    let target = "/v2/library/nonesuch/manifests/latest";
    let words = ["docker.io refuses pull of library/nonesuch", "does not exist", "needs a login", "'credential'"];
    let reply = stage.get(target).await;
    assert_refused(&reply, "403 DENIED", &words);
    let detail = &reply.json()["errors"][0]["detail"];
    assert_eq!((&detail["registry"], &detail["blame"]), (&"docker.io".into(), &"credential".into()));
    assert_eq!(detail["upstream"][0]["Name"], "library/nonesuch");
    stage.expect(&[
        "registry GET /v2/library/nonesuch/manifests/latest anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:library/nonesuch:pull anonymous 200",
        "registry GET /v2/library/nonesuch/manifests/latest bearer#1 401",
    ]);
    // Remembered for seconds.
    assert_refused(&stage.get(target).await, "403 DENIED", &words);
    let head = stage.head("/v2/library/nonesuch/tags/list").await;
    assert_eq!(head.status, 403);
    assert_clean(&head);
    stage.expect(&[]);
    advance(Duration::from_secs(6)).await;
    stage.get(target).await;
    assert_eq!(stage.sim.ledger().take().last().unwrap().status.unwrap(), 401, "asked again");
}

#[tokio::test(start_paused = true)]
async fn a_missing_tag_is_a_404_with_the_registrys_detail() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    let reply = stage.get("/v2/python/manifests/none").await;
    assert_refused(&reply, "404 MANIFEST_UNKNOWN", &["manifest unknown"]);
    let detail = &reply.json()["errors"][0]["detail"];
    assert_eq!((&detail["registry"], &detail["upstream"]["Tag"]), (&"docker.io".into(), &"none".into()));
    assert_eq!(stage.head("/v2/python/manifests/none").await.status, 404);
    stage.expect(&[
        "registry GET /v2/library/python/manifests/none bearer#1 404",
        "registry HEAD /v2/library/python/manifests/none bearer#1 404",
    ]);
}

#[tokio::test(start_paused = true)]
async fn every_form_of_its_429_is_one_error_and_is_not_tried_again() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for (form, words) in [
        (Preset::docker_hub_rate_limited(), "https://www.docker.com/increase-rate-limit"),
        (Preset::docker_hub_rate_limited_in_text(), "Too Many Requests (HAP429)"),
        (Preset::docker_hub_rate_limited_in_message(), "You have reached your pull rate limit"),
    ] {
        let form = form.header("retry-after", "17").header("ratelimit-remaining", "0;w=21600");
        let fault = stage.registry.registry().inject(Fault::answer(form));
        let reply = stage.get(MANIFEST).await;
        assert_refused(&reply, "429 TOOMANYREQUESTS", &[words]);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let head = stage.method(&Method::HEAD, MANIFEST).await;
        for reply in [&reply, &head] {
            assert_eq!(reply.status, 429);
            assert_eq!(reply.header("retry-after"), Some("17"));
            assert_eq!(reply.header("ratelimit-remaining"), Some("0;w=21600"));
        }
        stage.expect(&[
            "registry GET /v2/library/python/manifests/3.10 bearer#1 429",
            "registry HEAD /v2/library/python/manifests/3.10 bearer#1 429",
        ]);
        fault.lift();
    }
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn a_used_up_pull_limit_shows_as_it_is() {
    let stage = Stage::docker_hub("").await;
    stage.registry.change(|preset| preset.pull.rate.as_mut().unwrap().limit = 2);
    assert_eq!(stage.get(MANIFEST).await.header("ratelimit-remaining"), Some("2;w=21600"));
    // HEAD is not charged, and what regpass does for itself is neither.
    assert_eq!(stage.head(MANIFEST).await.header("ratelimit-remaining"), Some("1;w=21600"));
    assert_eq!(stage.get(MANIFEST).await.header("ratelimit-remaining"), Some("1;w=21600"));
    assert_refused(&stage.get(MANIFEST).await, "429 TOOMANYREQUESTS", &["pull rate limit"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_is_busy_is_a_429_too() {
    let stage = Stage::docker_hub("").await;
    let busy = Preset::docker_hub_rate_limited_in_text().header("retry-after", "9");
    stage.registry.token().inject(Fault::answer(busy).times(1));
    let reply = stage.get(MANIFEST).await;
    assert_refused(&reply, "429 TOOMANYREQUESTS", &["http://auth.hub.test/token", "HAP429"]);
    assert_eq!(reply.header("retry-after"), Some("9"));
    stage.sim.ledger().take();
    assert_eq!(stage.get(MANIFEST).await.status, 200, "forgotten at once");
    stage.expect(&COLD[1..]);
}
