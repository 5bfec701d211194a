//! A token service that fails: the client hears what happened, others are not harmed, and the next request tries anew.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::{Instant, advance};

use crate::harness::{Regpass, Reply, only, table};
use crate::sim::{Family, Fault, Image, Mode, Preset, Registry, Reply as Answer, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const OTHER: &str = "/v2/other.test/team/app/manifests/1";

async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", Family::Oci));
    registry
}

/// The registry under test, and a healthy one beside it.
async fn scene(sim: &Sim) -> (Registry, Regpass) {
    let registry = start(sim, Preset::generic()).await;
    let other = start(sim, Preset::generic().named("other")).await;
    let regpass = Regpass::start(sim, &format!("{}{}", only(&registry, ""), table("other.test", &other, "")));
    (registry, regpass)
}

fn tokens(sim: &Sim) -> usize {
    let tokens = sim.ledger().count("token", |_| true);
    sim.ledger().take();
    tokens
}

fn detail(reply: &Reply) -> String {
    let json = reply.json();
    let detail = &json["errors"][0]["detail"];
    ["registry", "step", "blame"].map(|key| detail[key].as_str().unwrap_or("-").to_owned()).join(" ")
}

#[tokio::test(start_paused = true)]
async fn every_failure_has_its_status_and_its_words_and_passes() {
    let busy = |status| Answer::new(status).header("retry-after", "7").text("Too Many Requests (HAP429).\n");
    for (fault, verdict, words) in [
        (Fault::text(500, "boom"), "502 UNAVAILABLE", "answered 500 Internal Server Error: boom"),
        (Fault::html(502), "502 UNAVAILABLE", "answered 502 Bad Gateway"),
        (Fault::text(404, "404 page not found"), "502 UNAVAILABLE", "answered 404 Not Found"),
        (Fault::answer(busy(429)), "429 TOOMANYREQUESTS", "is busy (429 Too Many Requests): Too Many Requests"),
        (Fault::answer(busy(503)), "503 UNAVAILABLE", "is busy (503 Service Unavailable)"),
        (Fault::html(200), "502 UNAVAILABLE", "gave no token: its answer is not a JSON object"),
        (Fault::text(200, "{\"token\":"), "502 UNAVAILABLE", "gave no token: its answer is not a JSON object"),
        (Fault::text(200, "{\"token\":\"\"}"), "502 UNAVAILABLE", "holds neither 'token' nor 'access_token'"),
        (Fault::text(200, "{\"token\":\"a\\r\\nb: c\"}"), "502 UNAVAILABLE", "characters that no header may have"),
        (Fault::truncated(40), "502 UNAVAILABLE", "not a JSON object"),
        (Fault::close_mid_body(40), "502 UNAVAILABLE", "cannot be read: it broke off"),
        (Fault::giant(1 << 20), "502 UNAVAILABLE", "it is larger than 131072 bytes"),
        (Fault::redirect(302, "http://blobs.generic.test/x"), "502 UNAVAILABLE", "answered 302 Found"),
        (Fault::redirect(307, "/token2"), "502 UNAVAILABLE", "answered 307 Temporary Redirect"),
        (Fault::answer(Answer::new(204)), "502 UNAVAILABLE", "answered 204 No Content"),
        (Fault::hang_after_head(), "504 UNAVAILABLE", "gave no answer within 10 s"),
    ] {
        let sim = Sim::memory();
        let (registry, regpass) = scene(&sim).await;
        registry.token().inject(fault);
        let failed = regpass.get(APP).await;
        assert_eq!(failed.verdict(), verdict, "{words}");
        let message = failed.error().1;
        let start = "generic.test: the";
        assert!(message.starts_with(start) && message.contains("http://auth.generic.test/token"), "{message}");
        assert!(message.contains(words), "{message}");
        assert_eq!(detail(&failed), "generic.test token token-service");
        let waits = verdict.starts_with("429") || verdict.starts_with("503");
        assert_eq!(failed.header("retry-after"), waits.then_some("7"), "{words}");
        assert_eq!(tokens(&sim), 1, "{words}: asked once, followed nowhere");

        assert_eq!(regpass.get(OTHER).await.status, 200, "{words}");
        registry.token().lift_faults();
        assert_eq!(regpass.get(APP).await.status, 200, "{words}: the next request tries anew");
        assert_eq!(tokens(&sim), 1, "{words}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_for_seconds_and_then_asked_again() {
    for status in [400, 401, 403] {
        let sim = Sim::memory();
        let (registry, regpass) = scene(&sim).await;
        registry.token().inject(Fault::answer(Answer::error(status, "DENIED", "no")));
        let failed = regpass.get(APP).await;
        assert_eq!(failed.verdict(), "403 DENIED");
        assert!(failed.error().1.contains("refused no credential ("), "{:?}", failed.error());
        assert_eq!(detail(&failed), "generic.test token credential");
        assert_eq!(tokens(&sim), 1);
        let again = join_all((0..20).map(|_| regpass.get(APP))).await;
        assert!(again.iter().all(|reply| reply.verdict() == "403 DENIED"));
        sim.ledger().expect(&[]);
        registry.token().lift_faults();
        advance(Duration::from_secs(6)).await;
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_costs_ten_seconds_and_one_request() {
    for fault in [Fault::hang_before_head(), Fault::hang_mid_body(10), Fault::hang_on_accept()] {
        let sim = Sim::memory();
        let (registry, regpass) = scene(&sim).await;
        let connects = registry.token().inject(fault);
        let begun = Instant::now();
        let (failed, other) = tokio::join!(join_all((0..20).map(|_| regpass.get(APP))), async {
            let reply = regpass.get(OTHER).await;
            (reply, begun.elapsed())
        });
        let took = begun.elapsed();
        assert!(failed.iter().all(|reply| reply.verdict() == "504 UNAVAILABLE"), "{:?}", failed[0]);
        assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&took), "{took:?}");
        assert!(other.0.status == 200 && other.1 < Duration::from_secs(1));
        assert_eq!(connects.hits(), 1);
        registry.token().lift_faults();
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_is_waited_for() {
    let sim = Sim::memory();
    let (registry, regpass) = scene(&sim).await;
    registry.token().inject(Fault::delay(Duration::from_secs(9)));
    let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(tokens(&sim), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn within_forty_seconds_a_client_has_heard_something() {
    let sim = Sim::memory();
    let (registry, regpass) = scene(&sim).await;
    registry.registry().inject(Fault::delay(Duration::from_secs(29)));
    for (hangs, limit) in [(false, 40), (true, 40)] {
        if hangs {
            registry.token().inject(Fault::hang_before_head());
        }
        let begun = Instant::now();
        let replies = join_all((0..3).map(|_| regpass.get(APP))).await;
        let took = begun.elapsed();
        assert!(replies.iter().all(|reply| reply.status == StatusCode::GATEWAY_TIMEOUT), "{replies:?}");
        assert!(replies.iter().all(|reply| reply.error().1.contains("generic.test")));
        assert!(took <= Duration::from_secs(limit + 1), "{took:?}");
        registry.revoke_tokens();
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_hangs_costs_thirty_seconds_and_harms_nobody_else() {
    let sim = Sim::memory();
    let (registry, regpass) = scene(&sim).await;
    registry.registry().inject(Fault::hang_before_head());
    let begun = Instant::now();
    let (hung, other) = tokio::join!(regpass.get(APP), async {
        let reply = regpass.get(OTHER).await;
        (reply, begun.elapsed())
    });
    assert_eq!(hung.verdict(), "504 UNAVAILABLE");
    assert_eq!(detail(&hung), "generic.test registry registry");
    assert!((30..31).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!(other.0.status == 200 && other.1 < Duration::from_secs(1));
    registry.registry().lift_faults();
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_never_comes_does_not_hold_a_request_up() {
    for fault in [Fault::hang_after_head(), Fault::hang_mid_body(10), Fault::giant(1 << 20)] {
        let sim = Sim::memory();
        let (registry, regpass) = scene(&sim).await;
        registry.registry().inject(fault.times(1));
        let begun = Instant::now();
        assert_eq!(regpass.get(APP).await.status, 200);
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_lifetime_left_serves_those_who_wait_for_it() {
    for expires_in in [0, -5] {
        let sim = Sim::memory();
        let (registry, regpass) = scene(&sim).await;
        registry.change(|preset| preset.tokens.expires_in = Some(expires_in));
        registry.token().inject(Fault::delay(Duration::from_millis(100)));
        let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
        assert_eq!(tokens(&sim), 1, "those who wait share it");
        assert_eq!(regpass.get(APP).await.grant(), "fetched");
        assert_eq!(tokens(&sim), 1, "nobody else does");
        advance(Duration::from_secs(3600)).await;
        sim.ledger().expect(&[]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_moved_is_found_again() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.change(|preset| preset.tokens.realm = Some("http://old.generic.test/token".into()));
    let url = registry.origin();
    let config = format!(
        "default_registry = \"generic.test\"\n[registry.\"generic.test\"]\nurl = \"{url}\"\nrealm_hosts = [\"old.generic.test\", \"auth.generic.test\"]\n"
    );
    let regpass = Regpass::start(&sim, &config);
    let failed = regpass.get(APP).await;
    assert_eq!(failed.verdict(), "502 UNAVAILABLE");
    assert!(failed.error().1.contains("http://old.generic.test/token cannot be reached"), "{failed:?}");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 anonymous 401", "registry GET /v2/ anonymous 401"]);
    let all = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(all.iter().all(|reply| reply.verdict() == "502 UNAVAILABLE" || reply.verdict() == "503 UNAVAILABLE"));
    sim.ledger().expect(&[]);

    registry.change(|preset| preset.tokens.realm = None);
    advance(Duration::from_secs(31)).await;
    let all = join_all((0..20).map(|_| regpass.get(APP))).await;
    assert!(all.iter().all(|reply| reply.status == 200), "those who fail are told the way");
    assert_eq!(sim.ledger().count("registry", |entry| entry.path == "/v2/"), 1);
    assert_eq!(tokens(&sim), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn held_tokens_outlast_a_token_service_that_is_down() {
    let sim = Sim::memory();
    let (registry, regpass) = scene(&sim).await;
    registry.publish("team/tool", "1", &Image::single("tool", Family::Oci));
    assert_eq!(regpass.get(APP).await.status, 200);
    registry.token().stop();
    registry.token().cut_connections();
    sim.ledger().take();
    for _ in 0..3 {
        let failed = regpass.get("/v2/team/tool/manifests/1").await;
        assert_eq!(failed.verdict(), "502 UNAVAILABLE");
        sim.ledger().take();
        assert_eq!(regpass.get(APP).await.grant(), "cached");
        sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_htpasswd_registry_needs_no_token_service() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::distribution(Mode::Htpasswd)).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    assert_eq!(regpass.get(APP).await.verdict(), "403 DENIED");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 anonymous 401"]);
    sim.finish();
}
