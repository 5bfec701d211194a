//! The token engine, counted: what a request costs at the registry and at its token service.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::harness::{Regpass, only, put};
use crate::sim::{Expiry, Family, Fault, Image, Mode, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const TOOL: &str = "/v2/team/tool/manifests/1";
const TOKEN: &str = "token GET /token?service=generic.test&scope=repository:team/app:pull anonymous 200";
const MAY_PUSH: &str = r#"allow = ["pull", "push"]
    credential = { source = "password", username = "alice", password = "wonderland" }"#;

/// A registry with two public repositories.
async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    for name in ["team/app", "team/tool"] {
        registry.publish(name, "1", &Image::single(name, Family::Oci));
    }
    registry
}

/// How many requests the registry refused, how many it answered well, and how many tokens were asked for.
fn counts(sim: &Sim) -> (usize, usize, usize) {
    let ledger = sim.ledger();
    let with = |status: u16| ledger.count("registry", |entry| entry.status == StatusCode::from_u16(status).ok());
    let counts = (with(401), with(200), ledger.count("token", |_| true));
    ledger.take();
    counts
}

/// Answers that take a while, so that requests overlap.
fn slow_down(registry: &Registry) {
    registry.registry().inject(Fault::delay(Duration::from_millis(20)));
    registry.token().inject(Fault::delay(Duration::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn two_hundred_cold_requests_cost_one_challenge_and_one_token() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    slow_down(&registry);
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let replies = join_all((0..200).map(|_| regpass.get(APP))).await;
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.whole));
    assert_eq!(counts(&sim), (1, 200, 1));
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn two_scopes_cost_two_tokens_and_still_one_challenge() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    slow_down(&registry);
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let replies = join_all((0..200).map(|n| regpass.get(if n % 2 == 0 { APP } else { TOOL }))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(counts(&sim), (1, 200, 2));
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_push_token_serves_the_pulls_of_its_repository() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.user("alice", "wonderland");
    let regpass = Regpass::start(&sim, &only(&registry, MAY_PUSH));

    let put = regpass.send(put(APP, &Image::single("team/app", Family::Oci))).await;
    assert_eq!(put.status, 201, "{put:?}");
    sim.ledger().expect(&[
        // What changes something is not sent on a guess.
        "registry GET /v2/ anonymous 401",
        "token GET /token?service=generic.test&scope=repository:team/app:pull,push basic:alice 200",
        "registry PUT /v2/team/app/manifests/1 bearer#1 201",
    ]);
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    assert_eq!(regpass.get("/v2/team/app/tags/list").await.grant(), "cached");
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 bearer#1 200",
        "registry GET /v2/team/app/tags/list bearer#1 200",
    ]);
    assert_eq!(regpass.get(TOOL).await.grant(), "fetched");
    sim.ledger().expect(&[
        "token GET /token?service=generic.test&scope=repository:team/tool:pull basic:alice 200",
        "registry GET /v2/team/tool/manifests/1 bearer#2 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_pull_token_does_not_serve_a_push() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.user("alice", "wonderland");
    let regpass = Regpass::start(&sim, &only(&registry, MAY_PUSH));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    assert_eq!(regpass.send(put(APP, &Image::single("team/app", Family::Oci))).await.status, 201);
    sim.ledger().expect(&[
        "token GET /token?service=generic.test&scope=repository:team/app:pull,push basic:alice 200",
        "registry PUT /v2/team/app/manifests/1 bearer#2 201",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_open_registry_costs_one_request_cold_and_warm() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::distribution(Mode::Open)).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    for _ in 0..2 {
        assert_eq!(regpass.get(APP).await.grant(), "none");
        sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 anonymous 200"]);
    }
    slow_down(&registry);
    let begun = Instant::now();
    join_all((0..50).map(|_| regpass.get(TOOL))).await;
    assert_eq!(counts(&sim), (0, 50, 0));
    assert!(begun.elapsed() < Duration::from_millis(30), "nobody waits for anybody: {:?}", begun.elapsed());
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_challenge_leads_to_the_base_for_one() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.registry().inject(Fault::without_header("www-authenticate").path("/manifests/"));
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 anonymous 401",
        "registry GET /v2/ anonymous 401",
        TOKEN,
        "registry GET /v2/team/app/manifests/1 bearer#1 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_challenge_costs_a_warm_request_one_token_and_one_replay() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic().expiry(Expiry::BareUnauthorized)).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 bearer#1 401",
        TOKEN,
        "registry GET /v2/team/app/manifests/1 bearer#2 200",
    ]);
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#2 200"]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn fifty_requests_with_a_revoked_token_share_its_successor() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    slow_down(&registry);
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    registry.revoke_tokens();
    // The last ones hear of the revocation while the successor is on its way.
    let replies = join_all((0..50).map(|n| {
        let regpass = &regpass;
        async move {
            sleep(Duration::from_millis(n % 20)).await;
            regpass.get(APP).await
        }
    }))
    .await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(counts(&sim), (50, 50, 1));
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refused_fresh_token_is_final_and_remembered_for_seconds() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let fault = registry.registry().inject(
        Fault::challenge(&[r#"Bearer realm="http://auth.generic.test/token",service="generic.test",error="x""#])
            .path("team/app"),
    );
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let refused = regpass.get(APP).await;
    assert_eq!(refused.verdict(), "403 DENIED");
    assert!(refused.header("www-authenticate").is_none());
    let message = refused.error().1;
    assert!(message.starts_with("generic.test refuses pull of team/app") && !message.contains('\n'), "{message}");
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 anonymous 401",
        TOKEN,
        "registry GET /v2/team/app/manifests/1 bearer#1 401",
    ]);
    assert_eq!((regpass.get(APP).await.status, regpass.head(APP).await.status), (refused.status, refused.status));
    assert_eq!(regpass.get(APP).await.error().1, message, "told as it was told first");
    sim.ledger().expect(&[]);
    assert_eq!(regpass.get(TOOL).await.status, 200, "another repository is not concerned");

    fault.lift();
    advance(Duration::from_secs(6)).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn later_challenges_do_not_change_what_is_pinned() {
    for challenge in [
        r#"Bearer realm="http://elsewhere.test/token",service="generic.test""#,
        r#"Bearer realm="http://auth.generic.test/other",service="other""#,
        r#"Basic realm="generic""#,
        "Negotiate",
    ] {
        let sim = Sim::memory();
        let registry = start(&sim, Preset::generic()).await;
        let regpass = Regpass::start(&sim, &only(&registry, ""));
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.ledger().take();
        registry.revoke_tokens();
        registry.registry().inject(Fault::challenge(&[challenge]).times(1));
        assert_eq!(regpass.get(APP).await.status, 200, "{challenge}");
        sim.ledger().expect(&[
            "registry GET /v2/team/app/manifests/1 bearer#1 401",
            TOKEN,
            "registry GET /v2/team/app/manifests/1 bearer#2 200",
        ]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_takes_neither_the_lesson_nor_the_token_with_it() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let delay = registry.registry().inject(Fault::delay(Duration::from_secs(1)));
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let leader = timeout(Duration::from_millis(500), regpass.get(APP));
    let (left, stayed) = tokio::join!(leader, regpass.get(APP));
    assert!(left.is_err() && stayed.status == 200);
    let refused =
        sim.ledger().count("registry", |entry| entry.path == APP && !entry.headers.contains_key("authorization"));
    assert_eq!((refused, sim.ledger().count("token", |_| true)), (2, 1), "the next one learns");
    delay.lift();
    sim.ledger().take();

    registry.token().inject(Fault::delay(Duration::from_secs(1)));
    let leader = timeout(Duration::from_millis(500), regpass.get(TOOL));
    let (left, stayed) = tokio::join!(leader, regpass.get(TOOL));
    assert!(left.is_err() && stayed.status == 200);
    assert_eq!(counts(&sim), (0, 1, 1), "the fetch goes on without its first caller");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_cold_request_that_hangs_does_not_hold_up_the_others() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.registry().inject(Fault::hang_before_head().path("_catalog"));
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let begun = Instant::now();
    let others = async {
        let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
        (replies, begun.elapsed())
    };
    let (hung, (replies, took)) = tokio::join!(regpass.get("/v2/_catalog"), others);
    assert_eq!(hung.verdict(), "504 UNAVAILABLE");
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(took < Duration::from_secs(5), "{took:?}");
    sim.finish();
}
