//! Scopes: which ones regpass requests, and how it handles what is granted.
//!
//! - Rule 7: request one repository per token. Only a mount needs two; without a token for both, start a plain upload.
//! - Rule 8: use the actions of the registry: `delete`, `pull,delete`, `pull,push`; for tags at ACR
//!   `pull,metadata_read`; for a catalog `registry:catalog:*` where there is one.
//! - Rule 9: request no more than needed. Some token services reject more (GHCR, Artifact Registry, Quay), and Quay
//!   creates the repository.
//! - Rule 10: the grant may be smaller, larger or unrelated. A 401 or 403 for a new token is final.

use std::sync::Arc;

use http::Method;

use super::{all_registries, for_each, registries_of, registry_at, scopes_of, token_calls, token_registries};
use crate::registry_setup::{RegistrySetup, manifest_path, password_credential, preset_credential};
use crate::sim::{AuthKind, AuthMode, Catalog, Fault, Preset, Reply};

#[tokio::test(start_paused = true)]
async fn rule_07_a_token_is_requested_for_one_repository() {
    for_each(token_registries(), async |host, setup| {
        for target in
            [setup.private_manifest(), setup.public_manifest(), setup.private_manifest(), setup.private_layer()]
        {
            assert_eq!(setup.get(&target).await.status, 200, "{host}: {target}");
        }
        for call in token_calls(&setup.sim) {
            assert!(scopes_of(&call).len() <= 1, "{host}: {call:?}");
        }
    })
    .await;
}

/// A token service that accepts one scope per request, like those of NGC, gcr.io and cgr.dev.
fn one_scope_per_token(mut preset: Preset) -> Preset {
    preset.tokens.grant = Arc::new(|request| {
        if request.scopes.len() > 1 {
            Err(Reply::error(400, "UNSUPPORTED", "more than one scope"))
        } else {
            Ok(request.permitted_scopes())
        }
    });
    preset
}

/// A token service that reads the last scope only, like Harbor's before 2020 (goharbor/harbor#11852).
fn last_scope_only(mut preset: Preset) -> Preset {
    let grant = preset.tokens.grant.clone();
    preset.tokens.grant = Arc::new(move |request| {
        let scopes = request.scopes.last().cloned().into_iter().collect();
        let (registry, preset, entry, user) = (request.registry, request.preset, request.entry, request.user.clone());
        grant(&crate::sim::TokenRequest { registry, preset, entry, user, scopes })
    });
    preset
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_mount_requests_two_repositories_and_otherwise_starts_an_upload() {
    let cgr = one_scope_per_token(Preset::generic());
    for (profile, preset, source, max, is_mounted) in vec![
        ("google", Preset::google(), "project/images/public", 1, true),
        ("google", Preset::gcr(), "project/public", 1, true),
        ("google", Preset::google(), "project/images/none", 1, false),
        ("generic", cgr, "acme/public", 2, false),
        ("ghcr", Preset::ghcr(), "toddysm/python", 2, true),
        ("ghcr", Preset::ghcr(), "toddysm/none", 2, false),
        ("ghcr", Preset::ghcr(), "somebody/else", 2, false),
        ("harbor", Preset::harbor(), "acme/public", 2, true),
        ("harbor", last_scope_only(Preset::harbor()), "acme/public", 2, false),
        ("gitlab", Preset::gitlab(), "somebody/else", 2, false),
    ] {
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let digest = &setup.image.blobs[0].digest;
        let uploads = setup.private_uploads();
        let reply = setup.send(Method::POST, &format!("{uploads}?mount={digest}&from={source}")).await;
        assert_eq!(reply.status, if is_mounted { 201 } else { 202 }, "{host} from {source}: {reply:?}");
        let calls = token_calls(&setup.sim);
        let counts: Vec<usize> = calls.iter().map(|call| scopes_of(call).len()).collect();
        assert_eq!(counts[0], max, "{host} from {source}: {calls:?}");
        assert!(is_mounted || *counts.last().unwrap() == 1 || counts.len() == 1, "{host} from {source}: {calls:?}");
        if !is_mounted {
            let put = setup.put_blob(&reply, b"blob").await;
            assert_eq!(put.status, 201, "{host}: the upload that was started instead");
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_delete_and_tags_use_the_registrys_actions() {
    let scope_of =
        |preset: &Preset, actions: &str| format!("repository:{}:{actions}", preset.capabilities.private_repository);
    for (host, actions) in [
        ("distribution", "delete"),
        ("generic", "delete"),
        ("zot", "push,delete"),
        ("harbor", "pull,delete"),
        ("quay", "pull,push"),
        ("pkg", "pull,push"),
        ("gcr", "pull,push"),
    ] {
        let (profile, preset) = registry_at(host);
        let (host, scope) = (preset.host.clone(), scope_of(&preset, actions));
        let setup = RegistrySetup::with_profile(profile, preset).await;
        let target = format!("/v2/{}/manifests/{}", setup.private_repository(), setup.image.digest());
        let reply = setup.send(Method::DELETE, &target).await;
        assert_eq!(reply.status, 202, "{host}: {reply:?}");
        assert_eq!(scopes_of(&token_calls(&setup.sim)[0]), [scope], "{host}");
        setup.sim.finish();
    }
    // regpass requests ACR's action for tags without a rejection that names it.
    for (profile, preset) in registries_of(&["acr", "generic"]) {
        let scope = scope_of(&preset, if profile == "acr" { "pull,metadata_read" } else { "pull" });
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.get(&setup.public_manifest()).await;
        setup.sim.ledger().take();
        assert_eq!(setup.get(&setup.private_path("tags/list")).await.status, 200, "{profile}");
        let entries = setup.sim.ledger().take();
        assert_eq!((entries.len(), scopes_of(&entries[0])), (2, vec![scope]), "{profile}: {entries:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_catalog_is_requested_with_the_registrys_scope_where_there_is_one() {
    for (profile, preset) in all_registries() {
        let host = preset.host.clone();
        let user = match preset.capabilities.catalog {
            Catalog::AdminByToken { user } | Catalog::AdminByBasic { user } => Some(user),
            _ => None,
        };
        let line = user.map_or_else(|| preset_credential(&preset), |user| password_credential(user, "secret"));
        let setup = RegistrySetup::with_table(profile, preset, &line).await;
        user.inspect(|user| setup.registry.add_user(user, "secret"));
        let reply = setup.get("/v2/_catalog").await;
        if setup.capabilities.catalog == Catalog::Unsupported {
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{host}: {reply:?}");
            setup.sim.finish();
            continue;
        }
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let scopes: Vec<String> = token_calls(&setup.sim).iter().flat_map(scopes_of).collect();
        let expected: &[&str] = match (profile, setup.capabilities.auth_kind) {
            // Docker Hub's is over another API.
            (_, AuthKind::Basic | AuthKind::None) | ("harbor" | "quay" | "docker-hub", _) => &[],
            ("zot", _) => &["repository::pull"],
            ("ghcr", _) => &["repository:user/image:pull"],
            _ => &["registry:catalog:*"],
        };
        assert_eq!(scopes, expected, "{host}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_read_requests_pull_only() {
    for (profile, preset) in token_registries() {
        let host = &preset.host;
        for (has_credential, setup) in RegistrySetup::with_and_without_credential(profile, &preset).await {
            let name = setup.public_repository();
            let blob = format!("/v2/{name}/blobs/{}", setup.image.blobs[0].digest);
            // It is not documented whether ACR lists tags anonymously.
            let tags = (has_credential || profile != "acr").then(|| format!("/v2/{name}/tags/list"));
            for target in [manifest_path(name), blob].into_iter().chain(tags) {
                for method in [Method::GET, Method::HEAD] {
                    let reply = setup.send(method, &target).await;
                    assert_eq!(reply.status, 200, "{host}: {target}: {reply:?}");
                }
            }
            for call in token_calls(&setup.sim) {
                for scope in scopes_of(&call) {
                    let actions = scope.rsplit(':').next().unwrap().to_owned();
                    assert!(actions == "pull" || actions == "pull,metadata_read", "{host}: {scope}");
                }
            }
            setup.sim.finish();
        }
    }
    // Quay creates a repository that a token for `push` names, and its challenge for a pull names `push`, too.
    let setup = RegistrySetup::with_profile("quay", Preset::quay()).await;
    assert_eq!(setup.get(&manifest_path("acme/none")).await.status, 404);
    assert!(!setup.registry.store().exists("acme/none"));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_smaller_grant_is_a_403_before_the_push_is_sent() {
    let docker_auth = Preset::distribution(AuthMode::Token);
    for (profile, mut preset) in
        [("docker-hub", Preset::docker_hub()), ("quay", Preset::quay()), ("distribution", docker_auth)]
    {
        let host = preset.host.clone();
        preset.policy = crate::sim::Policy::Namespaces;
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.registry.publish("somebody/else", "1", &setup.image);
        let put = crate::harness::manifest_put("/v2/somebody/else/manifests/2", &setup.image);
        let reply = setup.regpass.send(put).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{host}");
        assert!(reply.error().1.contains("granted"), "{host}: {reply:?}");
        assert!(setup.steps().iter().all(|step| !step.contains("PUT") && !step.contains("POST")), "{host}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_larger_or_unrelated_grant_is_used() {
    for_each(registries_of(&["harbor", "google", "ecr-public", "gitea"]), async |host, setup| {
        setup.warm().await;
        let reply = setup.get(&setup.private_manifest()).await;
        assert_eq!((reply.status.as_u16(), setup.steps().len()), (200, 1), "{host}");
        assert_eq!(setup.push_manifest().await.status, 201, "{host}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_rejection_of_a_new_token_is_a_403_without_a_retry() {
    for_each(token_registries(), async |host, setup| {
        // The registry answers every token with the challenge for an expired one.
        let bearer = |entry: &crate::sim::Entry| entry.headers.contains_key("authorization");
        let rejection = setup.registry.invalid_token_reply();
        setup.registry.api().inject(Fault::answer(rejection).path("/manifests/").when(bearer));
        let reply = setup.get(&setup.private_manifest()).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{host}");
        assert_eq!(reply.header("www-authenticate"), None, "{host}");
        let steps = setup.steps();
        let with_token = steps.iter().filter(|step| step.contains("bearer#")).count();
        assert_eq!(with_token, 1, "{host}: {steps:?}");
    })
    .await;
}
