//! Rules 16 to 20: credentials that are over, and how that shows.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;
use tokio::time::sleep;

use super::{World, asked, everyone, registries, step, token_calls};
use crate::clouds::ecr::{APP, ENVIRONMENT};
use crate::sim::{Catalog, Fault, Mode, Preset, Shown};

/// A warm registry whose tokens were revoked: the next pull costs one refusal, one token from where the first one came,
/// and the pull.
fn assert_recovers(profile: &'static str, preset: Preset, refusal: u16) -> BoxFuture<'static, ()> {
    recovers(profile, preset, refusal).boxed()
}

async fn recovers(profile: &str, preset: Preset, refusal: u16) {
    let (host, user) = (preset.host.clone(), preset.can.login.unwrap().0);
    let world = World::of(profile, preset).await;
    world.warm().await;
    for number in [1, 2] {
        world.registry.revoke_tokens();
        let reply = world.get(&world.private()).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let steps = world.steps();
        let expected = [
            format!("GET bearer#{number} {refusal}"),
            format!("token GET basic:{user} 200"),
            format!("GET bearer#{} 200", number + 1),
        ];
        assert_eq!(steps, expected, "{host}");
    }
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_16_later_challenges_are_not_believed() {
    // Another realm after expiry, and another scheme.
    for (profile, preset) in registries(&["ngc", "harbor"]) {
        assert_recovers(profile, preset, 401).await;
    }
    let flips = [
        ("acr", Preset::acr(), r#"Basic realm="Azure Container Registry""#),
        ("harbor", Preset::harbor(), r#"Basic realm="harbor""#),
        (
            "ngc",
            Preset::ngc(),
            r#"Bearer realm="http://authn.ngc.test/token",service="registry",error="invalid_token""#,
        ),
    ];
    for (profile, preset, challenge) in flips {
        for with_login in [true, false] {
            if !with_login && !preset.can.anonymous {
                continue;
            }
            let preset = preset.clone();
            let world =
                if with_login { World::of(profile, preset).await } else { World::anonymous(profile, preset).await };
            assert_eq!(world.get(&world.public()).await.status, 200);
            world.sim.ledger().take();
            world.registry.registry().inject(Fault::challenge(&[challenge]).times(1));
            assert_eq!(world.get(&world.public()).await.status, 200, "{profile}");
            let steps = world.steps();
            assert_eq!((steps.len(), &*steps[0], &*steps[2]), (3, "GET bearer#1 401", "GET bearer#2 200"), "{profile}");
            assert!(steps[1].starts_with("token GET"), "{profile}: where the first one came from: {steps:?}");
            world.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_no_challenge_is_as_good_as_one() {
    for (profile, preset) in registries(&["google", "zot"]) {
        if preset.can.shown == Shown::Token {
            assert_recovers(profile, preset, 401).await;
        }
    }
    assert_recovers("ecr-public", Preset::ecr_public(), 400).await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_and_18_a_password_that_is_over_is_renewed_from_its_source() {
    // A refusal of HEAD has no words, and none has a challenge.
    for method in [Method::GET, Method::HEAD] {
        let stage = crate::clouds::ecr::Stage::new().await;
        let regpass = stage.start("", &ENVIRONMENT);
        assert_eq!(regpass.get(APP).await.status, 200);
        // Of a new one nobody would believe that it is over.
        sleep(Duration::from_secs(2 * 60 * 60)).await;
        stage.sim.ledger().take();
        stage.registry.users().call_in();
        let reply = regpass.send(crate::harness::request(method.clone(), APP)).await;
        assert_eq!(reply.status, 200, "{method}: {reply:?}");
        let steps: Vec<String> = stage.sim.ledger().take().iter().map(step).collect();
        let renewed = "ecr-api POST other 200".to_owned();
        assert_eq!(steps, [format!("{method} basic:AWS 403"), renewed, format!("{method} basic:AWS 200")]);
        stage.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_18_words_and_errors_that_mean_no_more_than_that_it_is_over() {
    assert_recovers("ecr-public", Preset::ecr_public(), 400).await;
    assert_recovers("distribution", Preset::distribution(Mode::Token), 401).await;
    assert_recovers("ngc", Preset::ngc(), 401).await;
    // The same status with other words is a refusal.
    for (profile, preset, status) in [("ecr", Preset::ecr(), 403), ("ecr-public", Preset::ecr_public(), 400)] {
        let world = World::of(profile, preset).await;
        world.warm().await;
        let reply = crate::sim::Reply::error(status, "DENIED", "User is not authorized to perform: BatchGetImage");
        world.registry.registry().inject(Fault::answer(reply));
        let reply = world.get(&world.private()).await;
        assert_eq!(reply.verdict(), format!("{status} DENIED"), "{profile}");
        assert_eq!(world.steps().len(), 1, "{profile}");
        world.sim.finish();
    }
    // And elsewhere these words are only words.
    let world = World::of("generic", Preset::generic()).await;
    world.warm().await;
    let words = crate::sim::Reply::error(403, "DENIED", "Your authorization token has expired.");
    world.registry.registry().inject(Fault::answer(words));
    assert_eq!(world.get(&world.private()).await.verdict(), "403 DENIED");
    assert_eq!(world.steps().len(), 1);
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_18_a_head_without_words_renews_what_is_old_enough() {
    let head = |world: &World| {
        let target = world.private();
        crate::harness::request(Method::HEAD, &target)
    };
    // The password is the only one there is: the refusal is the answer.
    let world = World::of("ecr", Preset::ecr()).await;
    world.warm().await;
    sleep(Duration::from_secs(43_300)).await;
    assert_eq!(world.regpass.send(head(&world)).await.status, 403);
    assert_eq!(world.steps(), ["HEAD basic:AWS 403"]);
    world.sim.finish();

    for (age, status, steps) in [(10, 400, 1), (120, 200, 3)] {
        let world = World::of("ecr-public", Preset::ecr_public()).await;
        world.warm().await;
        sleep(Duration::from_secs(age)).await;
        world.registry.revoke_tokens();
        let reply = world.regpass.send(head(&world)).await;
        assert_eq!((reply.status.as_u16(), world.steps().len()), (status, steps), "after {age} s");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_19_no_password_is_sent_before_it_is_asked_for() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        let put = crate::harness::put(&format!("/v2/{}/manifests/2", world.can.private), &world.image);
        world.regpass.send(put).await;
        if !matches!(world.can.catalog, Catalog::AdminByBasic { .. }) {
            world.get("/v2/_catalog").await;
        }
        let entries = world.sim.ledger().take();
        let api: Vec<String> = entries
            .iter()
            .filter(|entry| entry.server == "registry")
            .map(|entry| entry.authorization.to_string())
            .collect();
        assert_eq!(api[0], "anonymous", "{host}");
        let basic = api.iter().any(|shown| shown.starts_with("basic"));
        assert_eq!(basic, world.can.shown == Shown::Basic, "{host}: {api:?}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_20_a_scope_that_head_hides_is_asked_for_by_get() {
    for (profile, preset) in registries(&["artifactory"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let reply = world.method(Method::HEAD, &world.private()).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let calls = token_calls(&world.sim);
        assert_eq!(asked(calls.last().unwrap()), ["repository:acme/private:pull"], "{host}");
        // From now on it is known.
        for target in [world.private(), world.layer()] {
            assert_eq!(world.method(Method::HEAD, &target).await.status, 200, "{host}");
        }
        assert!(world.steps().iter().all(|step| !step.starts_with("token") && !step.ends_with("401")), "{host}");
        world.sim.finish();
    }
}
