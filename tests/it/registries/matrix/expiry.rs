//! Tokens, and passwords, that are over before their time: in the middle of use, as each registry shows it.

use std::time::Duration;

use tokio::time::advance;

use super::cell::{Cell, Told};
use super::row::{Login, Row, World, is_token_call};
use crate::clouds::ecr;
use crate::sim::{Expiry, Preset, Shown};
use crate::stage::assert_clean;

/// Shorter than the registry says.
const REAL_LIFE: Duration = Duration::from_secs(10);

pub async fn in_use(row: &Row) -> Cell {
    match (row.preset.can.expiry, row.preset.can.shown) {
        (None, _) => lasting(row).await,
        (Some(expiry), Shown::Token) => {
            replaced(row.profile, row.preset.clone(), expiry).await;
            Cell::yes(shown_as(expiry))
        }
        (Some(expiry), _) => {
            password().await;
            Cell::yes(shown_as(expiry))
        }
    }
}

/// Nothing ends: two days later it still takes one request.
async fn lasting(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    world.warm().await;
    advance(Duration::from_secs(2 * 86_400)).await;
    assert_eq!(world.get(&world.target("manifests/1")).await.status, 200);
    world.seen().assert_warm();
    Cell::Cannot(Told::Never)
}

/// One refusal, one new token, the request once more.
async fn replaced(profile: &str, mut preset: Preset, expiry: Expiry) {
    // What is told of the lifetime stays as it is.
    preset.tokens.jwt_lifetime = preset.tokens.jwt_lifetime.or(Some(preset.tokens.lifetime));
    preset.tokens.lifetime = REAL_LIFE;
    for rest in ["manifests/1", "blob"] {
        let world = Box::pin(World::of(profile, preset.clone(), Login::Good)).await;
        let rest = if rest == "blob" { format!("blobs/{}", world.image.blobs[0].digest) } else { rest.to_owned() };
        world.warm().await;
        advance(REAL_LIFE + Duration::from_secs(1)).await;
        let reply = world.get(&world.target(&rest)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_clean(&reply);
        let seen = world.seen();
        let status = |number: usize| seen.0[number].status.map_or(0, |status| status.as_u16());
        assert_eq!(status(0), refusal(expiry), "{seen:?}");
        assert!(is_token_call(&seen.0[1]) && status(1) == 200, "{seen:?}");
        assert_eq!(seen.0[2].path, seen.0[0].path, "{seen:?}");
        assert_eq!((seen.tokens(), seen.count()), (1, 3 + seen.hops()), "one token, one replay: {seen:?}");
    }
}

/// A password that a cloud lent for twelve hours, and that is called in.
async fn password() {
    let stage = Box::pin(ecr::Stage::new()).await;
    let regpass = stage.start("", &ecr::ENVIRONMENT);
    assert_eq!(regpass.get(ecr::APP).await.status, 200);
    stage.sim.ledger().take();
    stage.registry.users().call_in();
    let reply = regpass.get(ecr::APP).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_clean(&reply);
    stage.sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 basic:AWS 403",
        "ecr-api POST / other 200",
        "registry GET /v2/team/app/manifests/1 basic:AWS 200",
    ]);
    stage.sim.finish();
}

fn refusal(expiry: Expiry) -> u16 {
    match expiry {
        Expiry::Denied403 => 403,
        Expiry::Denied400 => 400,
        Expiry::Challenge | Expiry::BareUnauthorized | Expiry::OtherRealm | Expiry::OtherScheme => 401,
    }
}

fn shown_as(expiry: Expiry) -> &'static str {
    match expiry {
        Expiry::Challenge => "401",
        Expiry::BareUnauthorized => "401, bare",
        Expiry::Denied403 => "403",
        Expiry::Denied400 => "400",
        Expiry::OtherRealm => "401, other realm",
        Expiry::OtherScheme => "401, Basic",
    }
}

/// Any registry may have taken after any of these.
#[tokio::test(start_paused = true)]
async fn every_way_to_say_that_a_token_is_over_costs_one_token_and_one_replay() {
    for (profile, expiry) in [
        ("generic", Expiry::Challenge),
        ("generic", Expiry::BareUnauthorized),
        ("generic", Expiry::OtherRealm),
        ("generic", Expiry::OtherScheme),
        ("acr", Expiry::OtherScheme),
        ("ecr", Expiry::Denied403),
        ("ecr-public", Expiry::Denied400),
    ] {
        replaced(profile, Preset::generic().expiry(expiry), expiry).await;
    }
}
