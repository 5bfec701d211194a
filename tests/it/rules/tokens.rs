//! Tokens.
//!
//! - Rule 11: use the first of `token` and `access_token` that is not empty.
//! - Rule 12: a token expires when `expires_in` or its claim says, else after 60 s, except where the lifetime is known.
//!   Renew it before.
//! - Rule 13: request tokens by GET, with an identity token by POST. If POST is rejected, use GET.
//! - Rule 14: concurrent requests share one token request. Cache a denial for seconds only.
//! - Rule 15: no credential and no token in logs, metrics and responses. GHCR's token is the password itself.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use http::Method;
use tokio::time::sleep;

use super::{all_registries, describe_step, for_each, is_401, registries_of, token_calls, token_registries};
use crate::harness::{manifest_put, request};
use crate::log::Log;
use crate::registry_setup::{RegistrySetup, manifest_path, password_credential};
use crate::sim::{AuthKind, Entry, Preset};

#[tokio::test(start_paused = true)]
async fn rule_11_the_token_is_taken_from_the_member_that_has_one() {
    // An empty `access_token` (Harbor), `access_token` only (ACR), `token` only (the others).
    for_each(
        registries_of(&["harbor", "acr", "quay", "ghcr", "gitlab", "ecr-public", "docker-hub"]),
        async |host, setup| {
            assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
            assert_eq!(setup.steps().last().unwrap(), "GET bearer#1 200", "{host}");
        },
    )
    .await;
}

/// The lifetime of a profile's tokens in seconds, as observed; `None` for other profiles.
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
async fn rule_12_tokens_are_cached_for_their_lifetime_and_renewed_before_its_end() {
    for (profile, preset) in token_registries() {
        let (host, Some(seconds)) = (preset.host.clone(), lifetime(profile)) else { continue };
        let whole = Duration::from_secs(seconds);
        assert_eq!(preset.tokens.lifetime, whole, "{host}: the preset's lifetime");
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        // Requests during two lifetimes.
        for _ in 0..40 {
            sleep(whole / 20).await;
            let reply = setup.get(&setup.private_manifest()).await;
            assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "cached"), "{host}");
        }
        let entries = setup.sim.ledger().take();
        assert!(!entries.iter().any(is_401), "{host}: the registry rejected an expired token");
        let tokens = entries.iter().filter(|entry| entry.server == "token").count();
        assert!((2..=3).contains(&tokens), "{host}: {tokens} tokens in two lifetimes");
        assert_eq!(entries.len() - tokens, 40, "{host}: one request each");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_password_is_used_for_12_h_and_a_token_without_lifetime_for_60_s() {
    let setup = RegistrySetup::with_profile("ecr", Preset::ecr()).await;
    setup.warm().await;
    for _ in 0..11 {
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    }
    assert_eq!(setup.steps(), vec!["GET basic:AWS 200"; 11]);
    setup.sim.finish();

    let setup = RegistrySetup::with_profile("ghcr", Preset::ghcr()).await;
    setup.warm().await;
    sleep(Duration::from_secs(50)).await;
    assert_eq!(setup.get(&setup.private_manifest()).await.authorization_source(), "cached");
    sleep(Duration::from_secs(120)).await;
    setup.sim.ledger().take();
    assert_eq!(
        setup.get(&setup.private_manifest()).await.authorization_source(),
        "fetched",
        "a token without a lifetime is used for 60 s"
    );
    assert!(!setup.sim.ledger().take().iter().any(is_401));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_13_an_identity_token_is_sent_by_post_and_by_get_if_post_is_rejected() {
    for (profile, preset) in
        registries_of(&["acr", "google", "harbor", "artifactory", "gitea", "quay", "gitlab", "ngc"])
    {
        let (host, takes_post) = (preset.host.clone(), preset.tokens.post_rejection.is_none());
        let unauthorized = preset.tokens.post_rejection.as_ref().map_or(0, |reply| reply.status.as_u16());
        let user = preset.capabilities.credential.unwrap().0;
        let credential =
            format!("credential = {{ source = \"identity\", username = '{user}', token = 'an identity token' }}");
        let setup = RegistrySetup::with_table(profile, preset, &credential).await;
        setup.registry.add_user(user, "an identity token");
        setup.registry.users().add_identity_token(user, "an identity token");
        let (private, public) = (setup.private_manifest(), setup.public_manifest());
        assert_eq!(setup.get(&private).await.status, 200, "{host}");
        let by_get = format!("token GET basic:{user} 200");
        let post = if takes_post { "identity 200".to_owned() } else { format!("anonymous {unauthorized}") };
        let steps = setup.steps();
        let tokens: Vec<&String> = steps.iter().filter(|step| step.starts_with("token")).collect();
        let post = format!("token POST {post}");
        let expected = if takes_post { vec![&post] } else { vec![&post, &by_get] };
        assert_eq!(tokens, expected, "{host}");
        // regpass remembers which method works.
        let target = public.replace("manifests/1", "tags/list");
        assert_eq!(setup.get(&target).await.status, 200, "{host}");
        let methods: Vec<Method> = token_calls(&setup.sim).into_iter().map(|call| call.method).collect();
        assert!(methods.iter().all(|method| (method == Method::POST) == takes_post), "{host}: {methods:?}");
        setup.sim.finish();
    }
    // Anonymous tokens and those for a password are requested by GET.
    for (profile, preset) in token_registries() {
        let host = preset.host.clone();
        let setups = [
            RegistrySetup::with_profile(profile, preset.clone()).await,
            RegistrySetup::anonymous(profile, preset).await,
        ];
        for setup in setups {
            setup.get(&setup.public_manifest()).await;
            assert!(token_calls(&setup.sim).iter().all(|call| call.method == Method::GET), "{host}");
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_14_concurrent_requests_share_one_token_request() {
    for_each(token_registries(), async |host, setup| {
        let target = setup.private_manifest();
        let replies = join_all((0..30).map(|_| setup.get(&target))).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{host}");
        let entries = setup.sim.ledger().take();
        let tokens = entries.iter().filter(|entry| entry.server == "token").count();
        let unauthorized = entries.iter().filter(|entry| is_401(entry)).count();
        assert_eq!((tokens, unauthorized, entries.len()), (1, 1, 32), "{host}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_denial_is_cached_for_seconds() {
    for (profile, preset) in token_registries() {
        let host = preset.host.clone();
        let setup = RegistrySetup::anonymous(profile, preset).await;
        let target = setup.private_manifest();
        assert_eq!(setup.get(&target).await.status_and_code(), "403 DENIED", "{host}");
        assert!(!setup.steps().is_empty());
        // The denial is cached, whether the token service or the registry sent it: regpass requests no token.
        let replies = join_all((0..10).map(|_| setup.get(&target))).await;
        assert!(replies.iter().all(|reply| reply.status_and_code() == "403 DENIED"), "{host}");
        let calls = token_calls(&setup.sim).len();
        assert_eq!(calls, 0, "{host}: {calls} calls");
        sleep(Duration::from_secs(6)).await;
        let name = setup.private_repository();
        setup.registry.store().write(name, |repository| repository.public = true);
        // Some registries serve nothing without a credential.
        let status = if setup.capabilities.anonymous_pull { 200 } else { 403 };
        assert_eq!(setup.get(&target).await.status, status, "{host}: the denial has expired");
        assert!(!setup.steps().is_empty(), "{host}: the denial has expired");
        setup.sim.finish();
    }
}

/// The password and all sent credentials and tokens, in plain form and in base64.
fn secrets(entries: &[Entry], password: &str) -> Vec<String> {
    let headers = entries.iter().filter_map(|entry| entry.headers.get("authorization")?.to_str().ok());
    let sent = headers.filter_map(|credential| credential.split_once(' ')).map(|(_, secret)| secret.to_owned());
    sent.chain([password.to_owned(), BASE64_STANDARD.encode(password)]).collect()
}

#[tokio::test(start_paused = true)]
async fn rule_15_no_credential_or_token_is_in_log_metrics_or_responses() {
    // GHCR's token is the password itself.
    for (profile, preset) in all_registries() {
        let Some((user, _)) = preset.capabilities.credential else { continue };
        let host = preset.host.clone();
        let log = Log::capture();
        let password = "ghp_0123456789";
        let setup = RegistrySetup::with_table(profile, preset, &password_credential(user, password)).await;
        setup.registry.add_user(user, password);
        let missing = manifest_path("nobody/none/none");
        let requests = [
            request(Method::GET, &setup.private_manifest()),
            request(Method::HEAD, &setup.private_layer()),
            request(Method::GET, &missing),
            manifest_put(&setup.private_path("manifests/2"), &setup.image),
            request(Method::GET, "/v2/_catalog"),
        ];
        let mut visible = Vec::new();
        for request in requests {
            let reply = setup.regpass.send(request).await;
            visible.push(format!("{:?}{}", reply.headers, String::from_utf8_lossy(&reply.body)));
        }
        setup.registry.revoke_tokens();
        setup.get(&setup.private_manifest()).await;
        visible.extend(setup.regpass.metric(""));
        visible.push(log.text());
        let entries = setup.sim.ledger().take();
        assert!(
            entries
                .iter()
                .any(|entry| describe_step(entry).contains("basic") || describe_step(entry).contains("bearer")),
            "{host}"
        );
        for secret in secrets(&entries, password) {
            assert!(!visible.iter().any(|text| text.contains(&secret)), "{host}: {secret} is visible");
        }
        setup.sim.allow(crate::sim::Rule::UnknownPath);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_wrong_password_is_not_in_log_or_response() {
    for (profile, preset) in all_registries() {
        let Some((user, _)) =
            preset.capabilities.credential.filter(|_| preset.capabilities.auth_kind != AuthKind::None)
        else {
            continue;
        };
        let host = preset.host.clone();
        let log = Log::capture();
        let setup = RegistrySetup::with_table(profile, preset, &password_credential(user, "a mistyped secret")).await;
        let reply = setup.get(&setup.private_manifest()).await;
        let visible = format!("{reply:?}{}{}", String::from_utf8_lossy(&reply.body), log.text());
        assert!(!visible.contains("a mistyped secret"), "{host}: {visible}");
        assert!(!visible.contains(&BASE64_STANDARD.encode("a mistyped secret")), "{host}");
        setup.sim.finish();
    }
}
