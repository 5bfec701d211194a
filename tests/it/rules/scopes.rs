//! Rules 7 to 10: what tokens are asked for, and what is made of what is granted.

use std::sync::Arc;

use http::Method;

use super::{World, as_user, asked, at, everyone, login, manifest, registries, token_calls, with_tokens};
use crate::sim::{Catalog, Fault, Mode, Preset, Reply, Shown, sha256};

#[tokio::test(start_paused = true)]
async fn rule_07_one_repository_a_token() {
    for (profile, preset) in with_tokens() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        for target in [world.private(), world.public(), world.private(), world.layer()] {
            assert_eq!(world.get(&target).await.status, 200, "{host}: {target}");
        }
        for call in token_calls(&world.sim) {
            assert!(asked(&call).len() <= 1, "{host}: {call:?}");
        }
        world.sim.finish();
    }
}

/// A token service that takes one scope a call, as those of NGC, gcr.io and cgr.dev.
fn one_scope_a_call(mut preset: Preset) -> Preset {
    preset.tokens.grant = Arc::new(|ask| {
        if ask.scopes.len() > 1 {
            Err(Reply::error(400, "UNSUPPORTED", "more than one scope"))
        } else {
            Ok(ask.reduced())
        }
    });
    preset
}

/// One that reads the last scope only, as Harbor's before 2020 (goharbor/harbor#11852).
fn last_scope_only(mut preset: Preset) -> Preset {
    let usual = preset.tokens.grant.clone();
    preset.tokens.grant = Arc::new(move |ask| {
        let scopes = ask.scopes.last().cloned().into_iter().collect();
        let (registry, preset, entry, user) = (ask.registry, ask.preset, ask.entry, ask.user.clone());
        usual(&crate::sim::TokenAsk { registry, preset, entry, user, scopes })
    });
    preset
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_mount_asks_for_two_and_goes_on_without_its_source() {
    let cgr = one_scope_a_call(Preset::generic());
    for (profile, preset, source, most, mounted) in vec![
        ("google", Preset::google(), "project/images/public", 1, false),
        ("google", Preset::gcr(), "project/public", 1, false),
        ("generic", cgr, "acme/public", 2, false),
        ("ghcr", Preset::ghcr(), "toddysm/python", 2, true),
        ("ghcr", Preset::ghcr(), "toddysm/none", 2, false),
        ("ghcr", Preset::ghcr(), "somebody/else", 2, false),
        ("harbor", Preset::harbor(), "acme/public", 2, true),
        ("harbor", last_scope_only(Preset::harbor()), "acme/public", 2, false),
        ("gitlab", Preset::gitlab(), "somebody/else", 2, false),
    ] {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let digest = &world.image.blobs[0].digest;
        let uploads = format!("/v2/{}/blobs/uploads/", world.can.private);
        let reply = world.method(Method::POST, &format!("{uploads}?mount={digest}&from={source}")).await;
        assert_eq!(reply.status, if mounted { 201 } else { 202 }, "{host} from {source}: {reply:?}");
        let calls = token_calls(&world.sim);
        let counts: Vec<usize> = calls.iter().map(|call| asked(call).len()).collect();
        assert_eq!(counts[0], most, "{host} from {source}: {calls:?}");
        assert!(mounted || *counts.last().unwrap() == 1 || counts.len() == 1, "{host} from {source}: {calls:?}");
        if !mounted {
            let put = format!("{}?digest={}", reply.header("location").unwrap(), sha256(b"blob"));
            let put = crate::harness::request(Method::PUT, &put).map(|_| bytes::Bytes::from_static(b"blob"));
            assert_eq!(world.regpass.send(put).await.status, 201, "{host}: the upload goes on");
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_actions_are_those_the_registry_knows() {
    let on = |preset: &Preset, actions: &str| format!("repository:{}:{actions}", preset.can.private);
    for (host, actions) in [
        ("distribution", "delete"),
        ("generic", "delete"),
        ("zot", "delete"),
        ("harbor", "pull,delete"),
        ("quay", "pull,push"),
        ("pkg", "pull,push"),
        ("gcr", "pull,push"),
    ] {
        let (profile, preset) = at(host);
        let (host, scope) = (preset.host.clone(), on(&preset, actions));
        let world = World::of(profile, preset).await;
        let target = format!("/v2/{}/manifests/{}", world.can.private, world.image.digest());
        let reply = world.method(Method::DELETE, &target).await;
        assert_eq!(reply.status, 202, "{host}: {reply:?}");
        assert_eq!(asked(&token_calls(&world.sim)[0]), [scope], "{host}");
        world.sim.finish();
    }
    // What ACR wants for tags is known without a refusal that says so.
    for (profile, preset) in registries(&["acr", "generic"]) {
        let scope = on(&preset, if profile == "acr" { "pull,metadata_read" } else { "pull" });
        let world = World::of(profile, preset).await;
        world.get(&world.public()).await;
        world.sim.ledger().take();
        assert_eq!(world.get(&format!("/v2/{}/tags/list", world.can.private)).await.status, 200, "{profile}");
        let entries = world.sim.ledger().take();
        assert_eq!((entries.len(), asked(&entries[0])), (2, vec![scope]), "{profile}: {entries:?}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_catalog_is_asked_for_where_there_is_one() {
    for (profile, preset) in everyone() {
        let host = preset.host.clone();
        let user = match preset.can.catalog {
            Catalog::Admin { user } | Catalog::AdminByBasic { user } => Some(user),
            _ => None,
        };
        let line = user.map_or_else(|| login(&preset), |user| as_user(user, "secret"));
        let world = World::with(profile, preset, &line).await;
        user.inspect(|user| world.registry.user(user, "secret"));
        let reply = world.get("/v2/_catalog").await;
        if world.can.catalog == Catalog::Never {
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{host}: {reply:?}");
            world.sim.finish();
            continue;
        }
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let scopes: Vec<String> = token_calls(&world.sim).iter().flat_map(asked).collect();
        let expected: &[&str] = match (profile, world.can.shown) {
            (_, Shown::Basic | Shown::Nothing) | ("harbor" | "quay", _) => &[],
            ("zot", _) => &["repository::pull"],
            ("ghcr", _) => &["repository:user/image:pull"],
            _ => &["registry:catalog:*"],
        };
        assert_eq!(scopes, expected, "{host}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_read_asks_for_reading_and_no_more() {
    for (profile, preset) in with_tokens() {
        for with_login in [true, false] {
            if !with_login && !preset.can.anonymous {
                continue;
            }
            let (host, preset) = (preset.host.clone(), preset.clone());
            let world =
                if with_login { World::of(profile, preset).await } else { World::anonymous(profile, preset).await };
            let name = world.can.public;
            let blob = format!("/v2/{name}/blobs/{}", world.image.blobs[0].digest);
            // Whether ACR lists tags for everyone is not on record.
            let tags = (with_login || profile != "acr").then(|| format!("/v2/{name}/tags/list"));
            for target in [manifest(name), blob].into_iter().chain(tags) {
                for method in [Method::GET, Method::HEAD] {
                    let reply = world.method(method, &target).await;
                    assert_eq!(reply.status, 200, "{host}: {target}: {reply:?}");
                }
            }
            for call in token_calls(&world.sim) {
                for scope in asked(&call) {
                    let actions = scope.rsplit(':').next().unwrap().to_owned();
                    assert!(actions == "pull" || actions == "pull,metadata_read", "{host}: {scope}");
                }
            }
            world.sim.finish();
        }
    }
    // Quay makes the repositories that tokens for pushing name, and challenges every pull for pushing, too.
    let world = World::of("quay", Preset::quay()).await;
    assert_eq!(world.get(&manifest("acme/none")).await.status, 404);
    assert!(!world.registry.store().exists("acme/none"));
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_smaller_grant_is_told_before_the_body() {
    let docker_auth = Preset::distribution(Mode::Token);
    for (profile, mut preset) in
        [("docker-hub", Preset::docker_hub()), ("quay", Preset::quay()), ("distribution", docker_auth)]
    {
        let host = preset.host.clone();
        preset.policy = crate::sim::Policy::Namespaces;
        let world = World::of(profile, preset).await;
        world.registry.publish("somebody/else", "1", &world.image);
        let put = crate::harness::put("/v2/somebody/else/manifests/2", &world.image);
        let reply = world.regpass.send(put).await;
        assert_eq!(reply.verdict(), "403 DENIED", "{host}");
        assert!(reply.error().1.contains("granted"), "{host}: {reply:?}");
        assert!(world.steps().iter().all(|step| !step.contains("PUT") && !step.contains("POST")), "{host}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_larger_or_an_unrelated_grant_is_as_good() {
    for (profile, preset) in registries(&["harbor", "google", "ecr-public", "gitea"]) {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.warm().await;
        let reply = world.get(&world.private()).await;
        assert_eq!((reply.status.as_u16(), world.steps().len()), (200, 1), "{host}");
        let put = crate::harness::put(&format!("/v2/{}/manifests/2", world.can.private), &world.image);
        assert_eq!(world.regpass.send(put).await.status, 201, "{host}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_refusal_of_a_fresh_token_is_final() {
    for (profile, preset) in with_tokens() {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        // Whatever is shown is refused in the way the registry challenges those who show nothing.
        let bearer = |entry: &crate::sim::Entry| entry.headers.contains_key("authorization");
        let refusal = world.registry.invalid_token();
        world.registry.registry().inject(Fault::answer(refusal).path("/manifests/").when(bearer));
        let reply = world.get(&world.private()).await;
        assert_eq!(reply.verdict(), "403 DENIED", "{host}");
        assert_eq!(reply.header("www-authenticate"), None, "{host}");
        let steps = world.steps();
        let shown = steps.iter().filter(|step| step.contains("bearer#")).count();
        assert_eq!(shown, 1, "{host}: {steps:?}");
        world.sim.finish();
    }
}
