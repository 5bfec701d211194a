//! Tokens grow old in the background: under steady use no client waits for one after the first, and no registry sees
//! an old one.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, advance, sleep, sleep_until};

use crate::harness::{Regpass, only};
use crate::sim::{Clock, Family, Fault, Image, Mint, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", Family::Oci));
    registry
}

/// Registry answers and token requests since the last look. No answer may have been a 401.
fn counts(sim: &Sim) -> (usize, usize) {
    let entries = sim.ledger().take();
    let refused = entries.iter().find(|entry| entry.status == Some(StatusCode::UNAUTHORIZED));
    assert!(refused.is_none(), "an old token was seen: {refused:?}");
    let tokens = entries.iter().filter(|entry| entry.server == "token").count();
    (entries.len() - tokens, tokens)
}

/// One request every `interval` for `span`; the number of tokens it took.
async fn use_steadily(sim: &Sim, regpass: &Regpass, interval: Duration, span: Duration) -> usize {
    assert_eq!(regpass.get(APP).await.grant(), "fetched");
    sim.ledger().take();
    let (begun, mut tokens, mut requests) = (Instant::now(), 0, 0);
    while begun.elapsed() < span {
        sleep(interval).await;
        let reply = regpass.get(APP).await;
        assert!(reply.status == 200 && reply.grant() == "cached", "after {:?}: {reply:?}", begun.elapsed());
        let (seen, fetched) = counts(sim);
        requests += 1;
        tokens += fetched;
        assert_eq!(seen, 1, "one client request, one registry request");
    }
    assert!(requests > 100, "{requests} requests show little");
    tokens
}

/// A registry whose tokens last `seconds` and say so, or say nothing.
fn lasting(seconds: Option<u64>) -> Preset {
    let mut preset = Preset::generic().lifetime(Duration::from_secs(seconds.unwrap_or(60)));
    if seconds.is_none() {
        preset.tokens.mint = Mint::Opaque;
        preset.tokens.expires_in = None;
    }
    preset
}

#[tokio::test(start_paused = true)]
async fn in_steady_use_nobody_waits_for_a_token_again() {
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
        let registry = start(&sim, lasting(lifetime)).await;
        // Latency makes renewals drift against the requests.
        registry.registry().inject(Fault::delay(Duration::from_millis(7)));
        registry.token().inject(Fault::delay(Duration::from_millis(23)));
        let regpass = Regpass::start(&sim, &only(&registry, ""));
        let tokens = use_steadily(&sim, &regpass, interval, span).await;
        let lives = span.as_secs_f64() / Duration::from_secs(lifetime.unwrap_or(60)).as_secs_f64();
        let bounds = (0.9 * lives).floor()..=(1.5 * lives).ceil();
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let bounded = bounds.contains(&(tokens as f64));
        assert!(bounded, "{lifetime:?} s used every {interval:?}: {tokens} tokens, not {bounds:?}");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_used_again_is_not_renewed() {
    for (lifetime, extra) in [(Some(1), 1), (Some(60), 1), (None, 1), (Some(300), 0), (Some(43200), 0)] {
        let sim = Sim::memory();
        let registry = start(&sim, lasting(lifetime)).await;
        let regpass = Regpass::start(&sim, &only(&registry, ""));
        assert_eq!(regpass.get(APP).await.status, 200);
        sim.ledger().take();
        sleep(2 * DAY).await;
        assert_eq!(counts(&sim), (0, extra), "{lifetime:?} s");
        assert_eq!(regpass.get(APP).await.grant(), "fetched");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn use_that_ends_ends_the_renewals() {
    let sim = Sim::memory();
    let registry = start(&sim, lasting(Some(300))).await;
    registry.token().inject(Fault::delay(Duration::from_secs(5)));
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let begun = Instant::now();
    // Up to the renewal at 225 s and beyond, also while the successor is on its way.
    for second in [0, 100, 200, 226, 228] {
        sleep_until(begun + Duration::from_secs(second)).await;
        assert_eq!(regpass.get(APP).await.status, 200);
    }
    sleep(Duration::from_secs(30)).await;
    sim.ledger().take();
    sleep(DAY).await;
    assert_eq!(counts(&sim), (0, 0), "nothing was asked for the successor");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_is_away_for_a_while_is_not_noticed() {
    let sim = Sim::memory();
    let registry = start(&sim, lasting(Some(300))).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    let fault = registry.token().inject(Fault::text(500, "away"));
    for second in 0..268 {
        sleep(Duration::from_secs(1)).await;
        if second == 255 {
            fault.lift();
        }
        assert_eq!(regpass.get(APP).await.grant(), "cached");
    }
    let tokens = sim.ledger().count("token", |_| true);
    assert!((2..=8).contains(&tokens), "{tokens} tries: pauses lie between them");
    assert_eq!(sim.ledger().count("token", |entry| entry.status == Some(StatusCode::OK)), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn of_two_lifetimes_the_shorter_counts() {
    for (expires_in, jwt) in [(300, 60), (60, 300)] {
        let sim = Sim::memory();
        let mut preset = Preset::generic().lifetime(Duration::from_secs(60));
        preset.tokens.expires_in = Some(expires_in);
        preset.tokens.jwt_lifetime = Some(Duration::from_secs(jwt));
        let registry = start(&sim, preset).await;
        let regpass = Regpass::start(&sim, &only(&registry, ""));
        let tokens = use_steadily(&sim, &regpass, Duration::from_secs(10), DAY / 24).await;
        assert!((60..=90).contains(&tokens), "expires_in {expires_in}, exp - iat {jwt}: {tokens}");
        sim.finish();
    }
}

/// A registry whose JWTs name an end and no beginning, told by a clock that is `ahead` of regpass's.
async fn without_iat(sim: &Sim, ahead: i64, lifetime: u64, expires_in: Option<i64>) -> Registry {
    let mut preset = Preset::generic().lifetime(Duration::from_secs(lifetime));
    preset.tokens.expires_in = expires_in;
    preset.tokens.claims = Some(std::sync::Arc::new(move |claims| {
        let exp = claims["exp"].as_i64().unwrap() + ahead;
        claims["exp"] = json!(exp);
        claims.as_object_mut().unwrap().remove("iat");
    }));
    start(sim, preset).await
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_beginning_is_told_by_the_wall_clock() {
    let sim = Sim::memory();
    assert_eq!(sim.clock().unix(), Clock::EPOCH, "the token's clock is the proxy's");
    let registry = without_iat(&sim, 0, 300, None).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let tokens = use_steadily(&sim, &regpass, Duration::from_secs(30), DAY / 24).await;
    assert!((12..=17).contains(&tokens), "{tokens}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn clocks_that_disagree_cost_requests_and_no_failures() {
    // With a beginning, lifetimes do not depend on whose clock is right.
    let sim = Sim::memory();
    let mut preset = Preset::generic();
    preset.tokens.claims = Some(std::sync::Arc::new(|claims| {
        for key in ["iat", "exp", "nbf"] {
            claims[key] = json!(claims[key].as_i64().unwrap() - 86_400);
        }
    }));
    let registry = start(&sim, preset).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let tokens = use_steadily(&sim, &regpass, Duration::from_secs(30), DAY / 24).await;
    assert!((12..=17).contains(&tokens), "{tokens}");
    sim.finish();

    // A registry that is behind: its tokens look over, and are used by those who fetched them.
    let sim = Sim::memory();
    let registry = without_iat(&sim, -3600, 300, Some(300)).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    for _ in 0..3 {
        assert_eq!((regpass.get(APP).await.status, sim.ledger().count("token", |_| true)), (StatusCode::OK, 1));
        sim.ledger().take();
        advance(Duration::from_secs(30)).await;
    }
    sim.finish();

    // A registry that is ahead: a token that is believed too long is replaced when it is refused.
    let sim = Sim::memory();
    let registry = without_iat(&sim, 3600, 300, None).await;
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    assert_eq!(regpass.get(APP).await.status, 200);
    sleep(Duration::from_secs(301)).await;
    sim.ledger().take();
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(sim.ledger().lines().len(), 3, "{:?}", sim.ledger().lines());
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_slow_token_service_makes_tokens_old_not_wrong() {
    let sim = Sim::memory();
    let registry = start(&sim, lasting(Some(60))).await;
    // The token lives from when it was made, which is before it arrives.
    registry.token().inject(Fault::delay(Duration::from_secs(8)));
    let regpass = Regpass::start(&sim, &only(&registry, ""));
    let tokens = use_steadily(&sim, &regpass, Duration::from_secs(5), DAY / 24).await;
    assert!((60..=110).contains(&tokens), "{tokens}");
    sim.finish();
}
