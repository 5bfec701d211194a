//! Renewal of tokens in the background: in steady use no client waits for a token after the first, and no registry receives
//! an expired one.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, advance, sleep, sleep_until};

use crate::harness::{Regpass, single_registry_config};
use crate::sim::{Clock, Fault, Image, ImageFormat, Preset, Registry, Sim, TokenFormat};

const APP: &str = "/v2/team/app/manifests/1";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    registry
}

/// The numbers of requests to the registry and to the token service since the ledger was emptied; empties it. Asserts that
/// none was a 401.
fn request_counts(sim: &Sim) -> (usize, usize) {
    let entries = sim.ledger().take();
    let unauthorized = entries.iter().find(|entry| entry.status == Some(StatusCode::UNAUTHORIZED));
    assert!(unauthorized.is_none(), "an expired token was sent: {unauthorized:?}");
    let tokens = entries.iter().filter(|entry| entry.server == "token").count();
    (entries.len() - tokens, tokens)
}

/// Sends one request every `interval` for `span`, and asserts that none waits for a token. Returns the number of fetched
/// tokens.
async fn pull_steadily(sim: &Sim, regpass: &Regpass, interval: Duration, span: Duration) -> usize {
    assert_eq!(regpass.get(APP).await.authorization_source(), "fetched");
    sim.ledger().take();
    let (started, mut tokens, mut requests) = (Instant::now(), 0, 0);
    while started.elapsed() < span {
        sleep(interval).await;
        let reply = regpass.get(APP).await;
        assert!(
            reply.status == 200 && reply.authorization_source() == "cached",
            "after {:?}: {reply:?}",
            started.elapsed()
        );
        let (at_registry, fetched) = request_counts(sim);
        requests += 1;
        tokens += fetched;
        assert_eq!(at_registry, 1, "one registry request per client request");
    }
    assert!(requests > 100, "{requests} requests are too few");
    tokens
}

/// Asserts that an hour with one pull every `interval` takes a number of tokens in `tokens`.
async fn assert_tokens_per_hour(
    sim: Sim,
    registry: &Registry,
    interval: Duration,
    tokens: RangeInclusive<usize>,
    case: &str,
) {
    let regpass = Regpass::start(&sim, &single_registry_config(registry, ""));
    let fetched = pull_steadily(&sim, &regpass, interval, DAY / 24).await;
    assert!(tokens.contains(&fetched), "{case}: {fetched} tokens");
    sim.finish();
}

/// A registry whose tokens are valid for `lifetime` seconds, and whose token service takes `delay` seconds to reply.
async fn start_with_slow_token_service(lifetime: u64, delay: u64) -> (Sim, Registry) {
    let sim = Sim::memory();
    let registry = start(&sim, token_lifetime(Some(lifetime))).await;
    registry.token_service().inject(Fault::delay(Duration::from_secs(delay)));
    (sim, registry)
}

/// A preset whose tokens are valid for `seconds`; with `None` for 60 s, which no token response states.
fn token_lifetime(seconds: Option<u64>) -> Preset {
    let mut preset = Preset::generic().lifetime(Duration::from_secs(seconds.unwrap_or(60)));
    if seconds.is_none() {
        preset.tokens.format = TokenFormat::Opaque;
        preset.tokens.expires_in = None;
    }
    preset
}

#[tokio::test(start_paused = true)]
async fn tokens_in_steady_use_are_renewed_in_the_background() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for (lifetime, interval, span) in [
        (Some(1), Duration::from_millis(300), minutes(10)),
        (Some(60), Duration::from_secs(20), DAY / 8),
        (Some(60), minutes(1), DAY),
        (None, minutes(1), DAY),
        (Some(300), minutes(1), DAY),
        (Some(300), minutes(3), DAY),
        (Some(3600), minutes(1), DAY),
        (Some(43200), minutes(1), DAY),
    ] {
        let sim = Sim::memory();
        let registry = start(&sim, token_lifetime(lifetime)).await;
        // With latency the times of renewals drift against those of the requests.
        registry.api().inject(Fault::delay(Duration::from_millis(7)));
        registry.token_service().inject(Fault::delay(Duration::from_millis(23)));
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
        let tokens = pull_steadily(&sim, &regpass, interval, span).await;
        let lifetimes = span.as_secs_f64() / Duration::from_secs(lifetime.unwrap_or(60)).as_secs_f64();
        let bounds = (0.9 * lifetimes).floor()..=(1.5 * lifetimes).ceil();
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let bounded = bounds.contains(&(tokens as f64));
        assert!(bounded, "{lifetime:?} s used every {interval:?}: {tokens} tokens, not {bounds:?}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn unused_token_is_renewed_at_most_once() {
    for (lifetime, extra) in [(Some(1), 1), (Some(60), 1), (None, 1), (Some(300), 0), (Some(43200), 0)] {
        let sim = Sim::memory();
        let registry = start(&sim, token_lifetime(lifetime)).await;
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.ledger().take();
        sleep(2 * DAY).await;
        assert_eq!(request_counts(&sim), (0, extra), "{lifetime:?} s");
        assert_eq!(regpass.get(APP).await.authorization_source(), "fetched");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn renewals_end_with_the_use_of_a_token() {
    let (sim, registry) = start_with_slow_token_service(300, 5).await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
    let started = Instant::now();
    // Requests before the renewal at 225 s, and during its token request.
    for second in [0, 100, 200, 226, 228] {
        sleep_until(started + Duration::from_secs(second)).await;
        assert_eq!(regpass.get(APP).await.status, 200);
    }
    sleep(Duration::from_secs(30)).await;
    sim.ledger().take();
    sleep(DAY).await;
    assert_eq!(request_counts(&sim), (0, 0), "the renewed token, which is unused, is not renewed");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn short_outage_of_the_token_service_delays_no_request() {
    let sim = Sim::memory();
    let registry = start(&sim, token_lifetime(Some(300))).await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    let fault = registry.token_service().inject(Fault::text(500, "away"));
    for second in 0..268 {
        sleep(Duration::from_secs(1)).await;
        if second == 255 {
            fault.remove();
        }
        assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    }
    let tokens = sim.ledger().count("token", |_| true);
    assert!((2..=8).contains(&tokens), "{tokens} attempts: regpass backs off between them");
    assert_eq!(sim.ledger().count("token", |entry| entry.status == Some(StatusCode::OK)), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn shorter_of_expires_in_and_jwt_lifetime_counts() {
    for (expires_in, jwt) in [(300, 60), (60, 300)] {
        let sim = Sim::memory();
        let mut preset = Preset::generic().lifetime(Duration::from_secs(60));
        preset.tokens.expires_in = Some(expires_in);
        preset.tokens.jwt_lifetime = Some(Duration::from_secs(jwt));
        let registry = start(&sim, preset).await;
        let case = format!("expires_in {expires_in}, exp - iat {jwt}");
        assert_tokens_per_hour(sim, &registry, Duration::from_secs(10), 60..=90, &case).await;
    }
}

/// A registry whose JWTs have `exp` but no `iat`, by a clock that is `ahead` seconds ahead of regpass's.
async fn start_without_iat(sim: &Sim, ahead: i64, lifetime: u64, expires_in: Option<i64>) -> Registry {
    let mut preset = Preset::generic().lifetime(Duration::from_secs(lifetime));
    preset.tokens.expires_in = expires_in;
    preset.tokens.edit_claims = Some(std::sync::Arc::new(move |claims| {
        let exp = claims["exp"].as_i64().unwrap() + ahead;
        claims["exp"] = json!(exp);
        claims.as_object_mut().unwrap().remove("iat");
    }));
    start(sim, preset).await
}

#[tokio::test(start_paused = true)]
async fn exp_without_iat_is_compared_with_the_wall_clock() {
    let sim = Sim::memory();
    assert_eq!(sim.clock().unix(), Clock::EPOCH, "regpass and token service share a clock");
    let registry = start_without_iat(&sim, 0, 300, None).await;
    assert_tokens_per_hour(sim, &registry, Duration::from_secs(30), 12..=17, "exp only").await;
}

#[tokio::test(start_paused = true)]
async fn clock_skew_costs_requests_but_no_failures() {
    // With `iat` the lifetime does not depend on the clocks.
    let sim = Sim::memory();
    let mut preset = Preset::generic();
    preset.tokens.edit_claims = Some(std::sync::Arc::new(|claims| {
        for key in ["iat", "exp", "nbf"] {
            claims[key] = json!(claims[key].as_i64().unwrap() - 86_400);
        }
    }));
    let registry = start(&sim, preset).await;
    assert_tokens_per_hour(sim, &registry, Duration::from_secs(30), 12..=17, "iat and exp a day behind").await;

    // A clock that is behind: each token seems to have expired, and is used only for the request that fetched it.
    let sim = Sim::memory();
    let registry = start_without_iat(&sim, -3600, 300, Some(300)).await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
    for _ in 0..3 {
        assert_eq!((regpass.get(APP).await.status, sim.ledger().count("token", |_| true)), (StatusCode::OK, 1));
        sim.ledger().take();
        advance(Duration::from_secs(30)).await;
    }
    sim.finish();

    // A clock that is ahead: a token that is kept too long is replaced when the registry rejects it.
    let sim = Sim::memory();
    let registry = start_without_iat(&sim, 3600, 300, None).await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sleep(Duration::from_secs(301)).await;
    sim.ledger().take();
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(sim.ledger().lines().len(), 3, "{:?}", sim.ledger().lines());
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn time_of_the_token_request_counts_towards_the_lifetime() {
    // The lifetime starts when the token is issued, eight seconds before it arrives.
    let (sim, registry) = start_with_slow_token_service(60, 8).await;
    assert_tokens_per_hour(sim, &registry, Duration::from_secs(5), 60..=110, "slow token service").await;
}
