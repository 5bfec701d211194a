//! Denials, missing tags and rate limits: all become errors in the form of the distribution specification.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::{COLD, MANIFEST, WARM, start_warm};
use crate::proxied_registry::{ProxiedRegistry, assert_no_upstream_headers, assert_rejected};
use crate::seed_registries::assert_missing_tag_is_404;
use crate::sim::{Fault, Preset};

/// The registry replies 401 `insufficient_scope` whatever the token, which a client would take for a request to log in.
#[tokio::test(start_paused = true)]
async fn missing_repository_is_403() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    let target = "/v2/library/nonesuch/manifests/latest";
    let words = ["docker.io denies pull of library/nonesuch", "does not exist", "needs a credential", "`credential`"];
    let reply = proxied.get(target).await;
    assert_rejected(&reply, "403 DENIED", &words);
    let detail = &reply.json()["errors"][0]["detail"];
    assert_eq!((&detail["registry"], &detail["blame"]), (&"docker.io".into(), &"credential".into()));
    assert_eq!(detail["upstream"][0]["Name"], "library/nonesuch");
    proxied.expect(&[
        "registry GET /v2/library/nonesuch/manifests/latest anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:library/nonesuch:pull anonymous 200",
        "registry GET /v2/library/nonesuch/manifests/latest bearer#1 401",
    ]);
    // The denial is cached for five seconds.
    assert_rejected(&proxied.get(target).await, "403 DENIED", &words);
    let head = proxied.head("/v2/library/nonesuch/tags/list").await;
    assert_eq!(head.status, 403);
    assert_no_upstream_headers(&head);
    proxied.expect(&[]);
    advance(Duration::from_secs(6)).await;
    proxied.get(target).await;
    assert_eq!(proxied.sim.ledger().take().last().unwrap().status.unwrap(), 401, "requested again");
}

#[tokio::test(start_paused = true)]
async fn missing_tag_is_404_with_the_registrys_detail() {
    assert_missing_tag_is_404(&start_warm("").await, "docker.io").await;
}

#[tokio::test(start_paused = true)]
async fn every_form_of_429_becomes_one_error_without_a_retry() {
    let proxied = start_warm("").await;
    for (form, words) in [
        (Preset::docker_hub_rate_limited(), "https://www.docker.com/increase-rate-limit"),
        (Preset::docker_hub_rate_limited_in_text(), "Too Many Requests (HAP429)"),
        (Preset::docker_hub_rate_limited_in_message(), "You have reached your pull rate limit"),
    ] {
        let form = form.header("retry-after", "17").header("ratelimit-remaining", "0;w=21600");
        let fault = proxied.registry.api().inject(Fault::answer(form));
        let reply = proxied.get(MANIFEST).await;
        assert_rejected(&reply, "429 TOOMANYREQUESTS", &[words]);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let head = proxied.method(&Method::HEAD, MANIFEST).await;
        for reply in [&reply, &head] {
            assert_eq!(reply.status, 429);
            assert_eq!(reply.header("retry-after"), Some("17"));
            assert_eq!(reply.header("ratelimit-remaining"), Some("0;w=21600"));
        }
        proxied.expect(&[
            "registry GET /v2/library/python/manifests/3.10 bearer#1 429",
            "registry HEAD /v2/library/python/manifests/3.10 bearer#1 429",
        ]);
        fault.remove();
    }
    proxied.get(MANIFEST).await;
    proxied.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn exceeded_pull_limit_is_429() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    proxied.registry.change_preset(|preset| preset.pull.rate_limit.as_mut().unwrap().limit = 2);
    assert_eq!(proxied.get(MANIFEST).await.header("ratelimit-remaining"), Some("2;w=21600"));
    // Neither HEAD nor the requests that regpass adds count as pulls.
    assert_eq!(proxied.head(MANIFEST).await.header("ratelimit-remaining"), Some("1;w=21600"));
    assert_eq!(proxied.get(MANIFEST).await.header("ratelimit-remaining"), Some("1;w=21600"));
    assert_rejected(&proxied.get(MANIFEST).await, "429 TOOMANYREQUESTS", &["pull rate limit"]);
}

#[tokio::test(start_paused = true)]
async fn busy_token_service_is_429() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    let busy = Preset::docker_hub_rate_limited_in_text().header("retry-after", "9");
    proxied.registry.token_service().inject(Fault::answer(busy).times(1));
    let reply = proxied.get(MANIFEST).await;
    assert_rejected(&reply, "429 TOOMANYREQUESTS", &["http://auth.hub.test/token", "HAP429"]);
    assert_eq!(reply.header("retry-after"), Some("9"));
    proxied.sim.ledger().take();
    assert_eq!(proxied.get(MANIFEST).await.status, 200, "the failure is not cached");
    proxied.expect(&COLD[1..]);
}
