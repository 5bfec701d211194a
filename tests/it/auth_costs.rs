//! The requests that authentication costs at a registry and at its token service.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::harness::{Regpass, manifest_put, single_registry_config};
use crate::sim::{AuthMode, ExpiryReply, Fault, Image, ImageFormat, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const TOOL: &str = "/v2/team/tool/manifests/1";
const TOKEN: &str = "token GET /token?service=generic.test&scope=repository:team/app:pull anonymous 200";
const MAY_PUSH: &str = r#"allow = ["pull", "push"]
    credential = { source = "password", username = "alice", password = "wonderland" }"#;

/// A registry with two public repositories and regpass in front of it. `more` is added to the registry's table.
async fn start(preset: Preset, more: &str) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(preset).await;
    for name in ["team/app", "team/tool"] {
        registry.publish(name, "1", &Image::single(name, ImageFormat::Oci));
    }
    registry.add_user("alice", "wonderland");
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, more));
    (sim, registry, regpass)
}

/// The number of 401s and of 200s from the registry, and the number of token requests; empties the ledger.
fn counts(sim: &Sim) -> (usize, usize, usize) {
    let ledger = sim.ledger();
    let with = |status: u16| ledger.count("registry", |entry| entry.status == StatusCode::from_u16(status).ok());
    let counts = (with(401), with(200), ledger.count("token", |_| true));
    ledger.take();
    counts
}

/// Delays the replies, so that requests overlap.
fn slow_down(registry: &Registry) {
    registry.api().inject(Fault::delay(Duration::from_millis(20)));
    registry.token_service().inject(Fault::delay(Duration::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn two_hundred_cold_requests_cost_one_challenge_and_one_token_per_scope() {
    for (targets, tokens) in [([APP, APP], 1), ([APP, TOOL], 2)] {
        let (sim, registry, regpass) = start(Preset::generic(), "").await;
        slow_down(&registry);
        let replies = join_all((0..200).map(|n| regpass.get(targets[n % 2]))).await;
        assert!(replies.iter().all(|reply| reply.status == 200 && reply.complete), "{targets:?}");
        assert_eq!(counts(&sim), (1, 200, tokens), "{targets:?}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn push_token_is_used_for_pulls_of_its_repository() {
    let (sim, _, regpass) = start(Preset::generic(), MAY_PUSH).await;

    let put = regpass.send(manifest_put(APP, &Image::single("team/app", ImageFormat::Oci))).await;
    assert_eq!(put.status, 201, "{put:?}");
    sim.ledger().expect(&[
        // regpass does not send a write before it knows the challenge.
        "registry GET /v2/ anonymous 401",
        "token GET /token?service=generic.test&scope=repository:team/app:pull,push basic:alice 200",
        "registry PUT /v2/team/app/manifests/1 bearer#1 201",
    ]);
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    assert_eq!(regpass.get("/v2/team/app/tags/list").await.authorization_source(), "cached");
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 bearer#1 200",
        "registry GET /v2/team/app/tags/list bearer#1 200",
    ]);
    assert_eq!(regpass.get(TOOL).await.authorization_source(), "fetched");
    sim.ledger().expect(&[
        "token GET /token?service=generic.test&scope=repository:team/tool:pull basic:alice 200",
        "registry GET /v2/team/tool/manifests/1 bearer#2 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pull_token_is_not_used_for_a_push() {
    let (sim, _, regpass) = start(Preset::generic(), MAY_PUSH).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    assert_eq!(regpass.send(manifest_put(APP, &Image::single("team/app", ImageFormat::Oci))).await.status, 201);
    sim.ledger().expect(&[
        "token GET /token?service=generic.test&scope=repository:team/app:pull,push basic:alice 200",
        "registry PUT /v2/team/app/manifests/1 bearer#2 201",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn open_registry_costs_one_request_cold_and_warm() {
    let (sim, registry, regpass) = start(Preset::distribution(AuthMode::Open), "").await;
    for _ in 0..2 {
        assert_eq!(regpass.get(APP).await.authorization_source(), "none");
        sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 anonymous 200"]);
    }
    slow_down(&registry);
    let begun = Instant::now();
    join_all((0..50).map(|_| regpass.get(TOOL))).await;
    assert_eq!(counts(&sim), (0, 50, 0));
    assert!(begun.elapsed() < Duration::from_millis(30), "requests do not wait for each other: {:?}", begun.elapsed());
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn cold_401_without_a_challenge_makes_regpass_request_the_base() {
    let (sim, registry, regpass) = start(Preset::generic(), "").await;
    registry.api().inject(Fault::without_header("www-authenticate").path("/manifests/"));
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
async fn warm_401_without_a_challenge_costs_one_token_and_one_retry() {
    let (sim, registry, regpass) = start(Preset::generic().expiry_reply(ExpiryReply::BareUnauthorized), "").await;
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 bearer#1 401",
        TOKEN,
        "registry GET /v2/team/app/manifests/1 bearer#2 200",
    ]);
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#2 200"]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn fifty_requests_with_a_revoked_token_share_one_new_token() {
    let (sim, registry, regpass) = start(Preset::generic(), "").await;
    slow_down(&registry);
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    registry.revoke_tokens();
    // The last requests get their 401 while the new token is being fetched.
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
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn denial_of_a_fresh_token_is_final_and_cached_for_seconds() {
    let (sim, registry, regpass) = start(Preset::generic(), "").await;
    let fault = registry.api().inject(
        Fault::challenge(&[r#"Bearer realm="http://auth.generic.test/token",service="generic.test",error="x""#])
            .path("team/app"),
    );
    let refused = regpass.get(APP).await;
    assert_eq!(refused.status_and_code(), "403 DENIED");
    assert!(refused.header("www-authenticate").is_none());
    let message = refused.error().1;
    assert!(message.starts_with("generic.test denies pull of team/app") && !message.contains('\n'), "{message}");
    sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 anonymous 401",
        TOKEN,
        "registry GET /v2/team/app/manifests/1 bearer#1 401",
    ]);
    assert_eq!((regpass.get(APP).await.status, regpass.head(APP).await.status), (refused.status, refused.status));
    assert_eq!(regpass.get(APP).await.error().1, message, "the cached denial has the same message");
    sim.ledger().expect(&[]);
    assert_eq!(regpass.get(TOOL).await.status, 200, "another repository is not affected");

    fault.remove();
    advance(Duration::from_secs(6)).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn later_challenges_do_not_change_the_pinned_one() {
    for challenge in [
        r#"Bearer realm="http://elsewhere.test/token",service="generic.test""#,
        r#"Bearer realm="http://auth.generic.test/other",service="other""#,
        r#"Basic realm="generic""#,
        "Negotiate",
    ] {
        let (sim, registry, regpass) = start(Preset::generic(), "").await;
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.ledger().take();
        registry.revoke_tokens();
        registry.api().inject(Fault::challenge(&[challenge]).times(1));
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
async fn discovery_and_token_fetch_survive_the_disconnect_of_their_first_client() {
    let (sim, registry, regpass) = start(Preset::generic(), "").await;
    let delay = registry.api().inject(Fault::delay(Duration::from_secs(1)));
    let first = timeout(Duration::from_millis(500), regpass.get(APP));
    let (aborted, other) = tokio::join!(first, regpass.get(APP));
    assert!(aborted.is_err() && other.status == 200);
    let anonymous =
        sim.ledger().count("registry", |entry| entry.path == APP && !entry.headers.contains_key("authorization"));
    assert_eq!(
        (anonymous, sim.ledger().count("token", |_| true)),
        (2, 1),
        "the second request takes over the discovery"
    );
    delay.remove();
    sim.ledger().take();

    registry.token_service().inject(Fault::delay(Duration::from_secs(1)));
    let first = timeout(Duration::from_millis(500), regpass.get(TOOL));
    let (aborted, other) = tokio::join!(first, regpass.get(TOOL));
    assert!(aborted.is_err() && other.status == 200);
    assert_eq!(counts(&sim), (0, 1, 1), "the token fetch goes on without its first client");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn hanging_cold_request_does_not_block_others() {
    let (sim, registry, regpass) = start(Preset::generic(), "").await;
    registry.api().inject(Fault::hang_before_head().path("_catalog"));
    let begun = Instant::now();
    let others = async {
        let replies = join_all((0..20).map(|_| regpass.get(APP))).await;
        (replies, begun.elapsed())
    };
    let (hung, (replies, took)) = tokio::join!(regpass.get("/v2/_catalog"), others);
    assert_eq!(hung.status_and_code(), "504 UNAVAILABLE");
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(took < Duration::from_secs(5), "{took:?}");
    sim.finish();
}
