//! Rules 11 to 15: tokens, from the reply to their end.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use http::Method;
use tokio::time::sleep;

use super::{World, as_user, everyone, is_401, manifest, registries, step, token_calls, with_tokens};
use crate::harness::{put, request};
use crate::log::Log;
use crate::sim::{Entry, Preset, Shown};

#[tokio::test(start_paused = true)]
async fn rule_11_the_token_is_where_there_is_one() {
    // Empty access_token; access_token only; token only.
    for (profile, preset) in registries(&["harbor", "acr", "quay", "ghcr", "gitlab", "ecr-public", "docker-hub"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        assert_eq!(world.steps().last().unwrap(), "GET bearer#1 200", "{host}");
        world.sim.finish();
    }
}

/// How long tokens live, by the rule and by sections 2 to 16.
fn lifetime(profile: &str) -> Option<u64> {
    Some(match profile {
        "acr" => 75 * 60,
        "docker-hub" | "gitlab" => 5 * 60,
        "ngc" => 10 * 60,
        "harbor" => 30 * 60,
        "google" => 12 * 3600,
        "ecr-public" | "quay" | "artifactory" => 3600,
        "gitea" => 24 * 3600,
        _ => return None,
    })
}

#[tokio::test(start_paused = true)]
async fn rule_12_tokens_are_used_for_their_life_and_renewed_ahead_of_its_end() {
    for (profile, preset) in with_tokens() {
        let (host, Some(seconds)) = (preset.host.clone(), lifetime(profile)) else { continue };
        let whole = Duration::from_secs(seconds);
        assert_eq!(preset.tokens.lifetime, whole, "{host}: as long as the rule says");
        let world = World::of(profile, preset).await;
        world.warm().await;
        // Two lives of steady use.
        for _ in 0..40 {
            sleep(whole / 20).await;
            let reply = world.get(&world.private()).await;
            assert_eq!((reply.status.as_u16(), reply.grant()), (200, "cached"), "{host}");
        }
        let entries = world.sim.ledger().take();
        assert!(!entries.iter().any(is_401), "{host}: an old token was seen");
        let tokens = entries.iter().filter(|entry| entry.server == "token").count();
        assert!((2..=3).contains(&tokens), "{host}: {tokens} tokens in two lives");
        assert_eq!(entries.len() - tokens, 40, "{host}: one request each");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_password_lives_for_twelve_hours_and_an_unknown_token_for_a_minute() {
    let world = World::of("ecr", Preset::ecr()).await;
    world.warm().await;
    for _ in 0..11 {
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(world.get(&world.private()).await.status, 200);
    }
    assert_eq!(world.steps(), vec!["GET basic:AWS 200"; 11]);
    world.sim.finish();

    let world = World::of("ghcr", Preset::ghcr()).await;
    world.warm().await;
    sleep(Duration::from_secs(50)).await;
    assert_eq!(world.get(&world.private()).await.grant(), "cached");
    sleep(Duration::from_secs(120)).await;
    world.sim.ledger().take();
    assert_eq!(world.get(&world.private()).await.grant(), "fetched", "a life that nobody told is short");
    assert!(!world.sim.ledger().take().iter().any(is_401));
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_13_an_identity_goes_by_post_and_by_get_where_that_is_refused() {
    for (profile, preset) in registries(&["acr", "google", "harbor", "artifactory", "gitea", "quay", "gitlab", "ngc"]) {
        let (host, takes_post) = (preset.host.clone(), preset.tokens.post_refused.is_none());
        let refused = preset.tokens.post_refused.as_ref().map_or(0, |reply| reply.status.as_u16());
        let user = preset.can.login.unwrap().0;
        let line =
            format!("credential = {{ source = \"identity\", username = '{user}', token = 'an identity token' }}");
        let world = World::with(profile, preset, &line).await;
        world.registry.user(user, "an identity token");
        world.registry.users().add_identity(user, "an identity token");
        let (private, public) = (world.private(), world.public());
        assert_eq!(world.get(&private).await.status, 200, "{host}");
        let by_get = format!("token GET basic:{user} 200");
        let post = if takes_post { "identity 200".to_owned() } else { format!("anonymous {refused}") };
        let steps = world.steps();
        let tokens: Vec<&String> = steps.iter().filter(|step| step.starts_with("token")).collect();
        let post = format!("token POST {post}");
        let expected = if takes_post { vec![&post] } else { vec![&post, &by_get] };
        assert_eq!(tokens, expected, "{host}");
        // What was learned is not tried again.
        let target = public.replace("manifests/1", "tags/list");
        assert_eq!(world.get(&target).await.status, 200, "{host}");
        let again: Vec<Method> = token_calls(&world.sim).into_iter().map(|call| call.method).collect();
        assert!(again.iter().all(|method| (method == Method::POST) == takes_post), "{host}: {again:?}");
        world.sim.finish();
    }
    // Nobody's token and a password's are asked for by GET everywhere.
    for (profile, preset) in with_tokens() {
        let host = preset.host.clone();
        let worlds = [World::of(profile, preset.clone()).await, World::anonymous(profile, preset).await];
        for world in worlds {
            world.get(&world.public()).await;
            assert!(token_calls(&world.sim).iter().all(|call| call.method == Method::GET), "{host}");
            world.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_many_requests_share_one_token() {
    for (profile, preset) in with_tokens() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let target = world.private();
        let replies = join_all((0..30).map(|_| world.get(&target))).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{host}");
        let entries = world.sim.ledger().take();
        let tokens = entries.iter().filter(|entry| entry.server == "token").count();
        let refused = entries.iter().filter(|entry| is_401(entry)).count();
        assert_eq!((tokens, refused, entries.len()), (1, 1, 32), "{host}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_refusal_is_remembered_for_seconds() {
    for (profile, preset) in with_tokens() {
        let host = preset.host.clone();
        let world = World::anonymous(profile, preset).await;
        let target = world.private();
        assert_eq!(world.get(&target).await.verdict(), "403 DENIED", "{host}");
        assert!(!world.steps().is_empty());
        // By the token service, or by the registry: neither is asked again at once.
        let again = join_all((0..10).map(|_| world.get(&target))).await;
        assert!(again.iter().all(|reply| reply.verdict() == "403 DENIED"), "{host}");
        let calls = token_calls(&world.sim).len();
        assert_eq!(calls, 0, "{host}: {calls} calls");
        sleep(Duration::from_secs(6)).await;
        let name = world.can.private;
        world.registry.store().write(name, |repository| repository.public = true);
        assert_eq!(world.get(&target).await.status, 200, "{host}: asked anew");
        world.sim.finish();
    }
}

/// The passwords and tokens that went over the wire, as they are and as they were spelled.
fn secrets(entries: &[Entry], password: &str) -> Vec<String> {
    let headers = entries.iter().filter_map(|entry| entry.headers.get("authorization")?.to_str().ok());
    let shown = headers.filter_map(|line| line.split_once(' ')).map(|(_, secret)| secret.to_owned());
    shown.chain([password.to_owned(), BASE64_STANDARD.encode(password)]).collect()
}

#[tokio::test(start_paused = true)]
async fn rule_15_no_secret_reaches_log_metric_or_answer() {
    // A token of GHCR is the password itself; the others are walked for good measure.
    for (profile, preset) in everyone() {
        let Some((user, _)) = preset.can.login else { continue };
        let host = preset.host.clone();
        let log = Log::listen();
        let password = "ghp_0123456789";
        let world = World::with(profile, preset, &as_user(user, password)).await;
        world.registry.user(user, password);
        let missing = manifest("nobody/none/none");
        let requests = [
            request(Method::GET, &world.private()),
            request(Method::HEAD, &world.layer()),
            request(Method::GET, &missing),
            put(&format!("/v2/{}/manifests/2", world.can.private), &world.image),
            request(Method::GET, "/v2/_catalog"),
        ];
        let mut told = Vec::new();
        for request in requests {
            let reply = world.regpass.send(request).await;
            told.push(format!("{:?}{}", reply.headers, String::from_utf8_lossy(&reply.body)));
        }
        world.registry.revoke_tokens();
        world.get(&world.private()).await;
        told.extend(world.regpass.metric(""));
        told.push(log.text());
        let entries = world.sim.ledger().take();
        assert!(entries.iter().any(|entry| step(entry).contains("basic") || step(entry).contains("bearer")), "{host}");
        for secret in secrets(&entries, password) {
            assert!(!told.iter().any(|text| text.contains(&secret)), "{host}: {secret} was told");
        }
        world.sim.allow(crate::sim::Rule::UnknownPath);
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_wrong_password_is_no_less_secret() {
    for (profile, preset) in everyone() {
        let Some((user, _)) = preset.can.login.filter(|_| preset.can.shown != Shown::Nothing) else { continue };
        let host = preset.host.clone();
        let log = Log::listen();
        let world = World::with(profile, preset, &as_user(user, "a mistyped secret")).await;
        let reply = world.get(&world.private()).await;
        let told = format!("{reply:?}{}{}", String::from_utf8_lossy(&reply.body), log.text());
        assert!(!told.contains("a mistyped secret"), "{host}: {told}");
        assert!(!told.contains(&BASE64_STANDARD.encode("a mistyped secret")), "{host}");
        world.sim.finish();
    }
}
