//! Failures of a token service: the client gets a message that says what failed, other registries are not affected, and the
//! next request tries again, except after a denial, which is cached for seconds.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::{Instant, advance};

use crate::harness::{Regpass, Reply, registry_table, single_registry_config};
use crate::sim::{AuthMode, Fault, Image, ImageFormat, Preset, Registry, Reply as Answer, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const OTHER: &str = "/v2/other.test/team/app/manifests/1";

async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    registry
}

/// Starts the registry under test, a second registry `other.test` that works, and regpass in front of both.
async fn start_two(sim: &Sim) -> (Registry, Regpass) {
    let registry = start(sim, Preset::generic()).await;
    let other = start(sim, Preset::generic().named("other")).await;
    let regpass = Regpass::start(
        sim,
        &format!("{}{}", single_registry_config(&registry, ""), registry_table("other.test", &other, "")),
    );
    (registry, regpass)
}

/// The number of token requests so far; empties the ledger.
fn take_token_requests(sim: &Sim) -> usize {
    let tokens = sim.ledger().count("token", |_| true);
    sim.ledger().take();
    tokens
}

/// A reply, and how long it took.
async fn timed(reply: impl Future<Output = Reply>) -> (Reply, Duration) {
    let start = Instant::now();
    (reply.await, start.elapsed())
}

/// `registry step blame` of the error's detail.
fn detail(reply: &Reply) -> String {
    let json = reply.json();
    let detail = &json["errors"][0]["detail"];
    ["registry", "step", "blame"].map(|key| detail[key].as_str().unwrap_or("-").to_owned()).join(" ")
}

#[tokio::test(start_paused = true)]
async fn failure_of_the_token_service_has_its_own_status_and_message_and_is_not_cached() {
    let busy = |status| Answer::new(status).header("retry-after", "7").text("Too Many Requests (HAP429).\n");
    for (fault, expected, words) in [
        (Fault::text(500, "boom"), "502 UNAVAILABLE", "answered 500 Internal Server Error: boom"),
        (Fault::html(502), "502 UNAVAILABLE", "answered 502 Bad Gateway"),
        (Fault::text(404, "404 page not found"), "502 UNAVAILABLE", "answered 404 Not Found"),
        (Fault::answer(busy(429)), "429 TOOMANYREQUESTS", "is busy (429 Too Many Requests): Too Many Requests"),
        (Fault::answer(busy(503)), "503 UNAVAILABLE", "is busy (503 Service Unavailable)"),
        (Fault::html(200), "502 UNAVAILABLE", "returned no token: the response is not a JSON object"),
        (Fault::text(200, "{\"token\":"), "502 UNAVAILABLE", "returned no token: the response is not a JSON object"),
        (Fault::text(200, "{\"token\":\"\"}"), "502 UNAVAILABLE", "has neither `token` nor `access_token`"),
        (
            Fault::text(200, "{\"token\":\"a\\r\\nb: c\"}"),
            "502 UNAVAILABLE",
            "characters that are not allowed in a header",
        ),
        (Fault::truncated(40), "502 UNAVAILABLE", "not a JSON object"),
        (Fault::close_mid_body(40), "502 UNAVAILABLE", "/token: the connection closed before its end"),
        (Fault::oversized(1 << 20), "502 UNAVAILABLE", "it is larger than 131072 bytes"),
        (Fault::redirect(302, "http://blobs.generic.test/x"), "502 UNAVAILABLE", "answered 302 Found"),
        (Fault::redirect(307, "/token2"), "502 UNAVAILABLE", "answered 307 Temporary Redirect"),
        (Fault::answer(Answer::new(204)), "502 UNAVAILABLE", "answered 204 No Content"),
        (Fault::hang_after_head(), "504 UNAVAILABLE", "did not answer within 10 s"),
    ] {
        let sim = Sim::memory();
        let (registry, regpass) = start_two(&sim).await;
        registry.token_service().inject(fault);
        let failed = regpass.get(APP).await;
        assert_eq!(failed.status_and_code(), expected, "{words}");
        let message = failed.error().1;
        assert!(message.starts_with("generic.test: "), "{message}");
        assert!(message.contains("the token service http://auth.generic.test/token"), "{message}");
        assert!(message.contains(words), "{message}");
        assert_eq!(detail(&failed), "generic.test token token-service");
        let waits = expected.starts_with("429") || expected.starts_with("503");
        assert_eq!(failed.header("retry-after"), waits.then_some("7"), "{words}");
        assert_eq!(take_token_requests(&sim), 1, "{words}: one token request, and no redirect was followed");

        assert_eq!(regpass.get(OTHER).await.status, 200, "{words}");
        registry.token_service().clear_faults();
        assert_eq!(regpass.get(APP).await.status, 200, "{words}: the next request tries again");
        assert_eq!(take_token_requests(&sim), 1, "{words}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn denial_is_cached_for_seconds_and_then_requested_again() {
    for status in [400, 401, 403] {
        let sim = Sim::memory();
        let (registry, regpass) = start_two(&sim).await;
        registry.token_service().inject(Fault::answer(Answer::error(status, "DENIED", "no")));
        let failed = regpass.get(APP).await;
        assert_eq!(failed.status_and_code(), "403 DENIED");
        assert!(failed.error().1.contains("refused a token with no credential ("), "{:?}", failed.error());
        assert_eq!(detail(&failed), "generic.test token credential");
        assert_eq!(take_token_requests(&sim), 1);
        let again = join_all((0..20).map(|_| regpass.get(APP))).await;
        assert!(again.iter().all(|reply| reply.status_and_code() == "403 DENIED"));
        sim.ledger().expect(&[]);
        registry.token_service().clear_faults();
        advance(Duration::from_secs(6)).await;
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_token_service_costs_ten_seconds_and_one_request() {
    for fault in [Fault::hang_before_head(), Fault::hang_mid_body(10), Fault::hang_on_accept()] {
        let sim = Sim::memory();
        let (registry, regpass) = start_two(&sim).await;
        let connects = registry.token_service().inject(fault);
        let start = Instant::now();
        let (failed, other) = tokio::join!(join_all((0..20).map(|_| regpass.get(APP))), timed(regpass.get(OTHER)));
        let took = start.elapsed();
        assert!(failed.iter().all(|reply| reply.status_and_code() == "504 UNAVAILABLE"), "{:?}", failed[0]);
        assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&took), "{took:?}");
        assert!(other.0.status == 200 && other.1 < Duration::from_secs(1));
        assert_eq!(connects.hits(), 1);
        registry.token_service().clear_faults();
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn slow_token_service_is_waited_for() {
    let sim = Sim::memory();
    let (registry, regpass) = start_two(&sim).await;
    registry.token_service().inject(Fault::delay(Duration::from_secs(9)));
    let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(take_token_requests(&sim), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn client_gets_a_reply_within_forty_seconds() {
    let sim = Sim::memory();
    let (registry, regpass) = start_two(&sim).await;
    registry.api().inject(Fault::delay(Duration::from_secs(29)));
    for (hangs, limit) in [(false, 40), (true, 40)] {
        if hangs {
            registry.token_service().inject(Fault::hang_before_head());
        }
        let start = Instant::now();
        let replies = join_all((0..3).map(|_| regpass.get(APP))).await;
        let took = start.elapsed();
        assert!(replies.iter().all(|reply| reply.status == StatusCode::GATEWAY_TIMEOUT), "{replies:?}");
        assert!(replies.iter().all(|reply| reply.error().1.contains("generic.test")));
        assert!(took <= Duration::from_secs(limit + 1), "{took:?}");
        registry.revoke_tokens();
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn hanging_registry_costs_thirty_seconds_and_does_not_affect_others() {
    let sim = Sim::memory();
    let (registry, regpass) = start_two(&sim).await;
    registry.api().inject(Fault::hang_before_head());
    let start = Instant::now();
    let (hung, other) = tokio::join!(regpass.get(APP), timed(regpass.get(OTHER)));
    assert_eq!(hung.status_and_code(), "504 UNAVAILABLE");
    assert_eq!(detail(&hung), "generic.test registry registry");
    assert!((30..31).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert!(other.0.status == 200 && other.1 < Duration::from_secs(1));
    registry.api().clear_faults();
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn challenge_without_the_end_of_its_body_does_not_block_the_request() {
    for fault in [Fault::hang_after_head(), Fault::hang_mid_body(10), Fault::oversized(1 << 20)] {
        let sim = Sim::memory();
        let (registry, regpass) = start_two(&sim).await;
        registry.api().inject(fault.times(1));
        let start = Instant::now();
        assert_eq!(regpass.get(APP).await.status, 200);
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn expired_new_token_is_used_only_by_the_requests_that_wait_for_it() {
    for expires_in in [0, -5] {
        let sim = Sim::memory();
        let (registry, regpass) = start_two(&sim).await;
        registry.change_preset(|preset| preset.tokens.expires_in = Some(expires_in));
        registry.token_service().inject(Fault::delay(Duration::from_millis(100)));
        let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
        assert_eq!(take_token_requests(&sim), 1, "the waiting requests share the token");
        assert_eq!(regpass.get(APP).await.authorization_source(), "fetched");
        assert_eq!(take_token_requests(&sim), 1, "a later request fetches its own");
        advance(Duration::from_secs(3600)).await;
        sim.ledger().expect(&[]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn moved_token_service_is_found_again() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.change_preset(|preset| preset.tokens.realm = Some("http://old.generic.test/token".into()));
    let url = registry.origin();
    let config = format!(
        "default_registry = \"generic.test\"\n[registry.\"generic.test\"]\nurl = \"{url}\"\nrealm_hosts = [\"old.generic.test\", \"auth.generic.test\"]\n"
    );
    let regpass = Regpass::start(&sim, &config);
    let failed = regpass.get(APP).await;
    assert_eq!(failed.status_and_code(), "502 UNAVAILABLE");
    assert!(failed.error().1.contains("http://old.generic.test/token cannot be reached"), "{failed:?}");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 anonymous 401", "registry GET /v2/ anonymous 401"]);
    let all = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(
        all.iter()
            .all(|reply| reply.status_and_code() == "502 UNAVAILABLE" || reply.status_and_code() == "503 UNAVAILABLE")
    );
    sim.ledger().expect(&[]);

    registry.change_preset(|preset| preset.tokens.realm = None);
    advance(Duration::from_secs(31)).await;
    let all = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(all.iter().all(|reply| reply.status == 200), "requests after the failure use the new realm");
    assert_eq!(sim.ledger().count("registry", |entry| entry.path == "/v2/"), 1);
    assert_eq!(take_token_requests(&sim), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn cached_tokens_work_while_the_token_service_is_down() {
    let sim = Sim::memory();
    let (registry, regpass) = start_two(&sim).await;
    registry.publish("team/tool", "1", &Image::single("tool", ImageFormat::Oci));
    assert_eq!(regpass.get(APP).await.status, 200);
    registry.token_service().stop();
    registry.token_service().cut_connections();
    sim.ledger().take();
    for _ in 0..3 {
        let failed = regpass.get("/v2/team/tool/manifests/1").await;
        assert_eq!(failed.status_and_code(), "502 UNAVAILABLE");
        sim.ledger().take();
        assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
        sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn htpasswd_registry_needs_no_token_service() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::distribution(AuthMode::Htpasswd)).await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
    assert_eq!(regpass.get(APP).await.status_and_code(), "403 DENIED");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 anonymous 401"]);
    sim.finish();
}
