//! Expired tokens and passwords, and the forms in which registries report them.
//!
//! - Rule 16: keep realm, service and scheme of the first challenge. With an expired token NGC names another realm,
//!   Harbor and ACR another scheme.
//! - Rule 17: an expired token may be rejected without a challenge (Artifact Registry, Zot, ECR).
//! - Rule 18: some other responses also mean an expired credential: 400 at ECR Public, 403 at ECR, `invalid_token` at
//!   Distribution and NGC; for HEAD without a body, if the token is old enough. Renew and replay once.
//! - Rule 19: send no password before the registry's challenge.
//! - Rule 20: learn a scope by GET, because Artifactory's challenge for HEAD has none.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;
use tokio::time::sleep;

use super::{all_registries, describe_step, for_each, registries_of, scopes_of, token_calls};
use crate::clouds::ecr::{APP, ENVIRONMENT, EcrSetup};
use crate::harness::request;
use crate::registry_setup::RegistrySetup;
use crate::sim::{AuthKind, AuthMode, Catalog, Fault, Preset, Reply};

/// Asserts that after its tokens were revoked a pull takes one rejection, one token from the same token service, and the
/// request with it.
fn assert_renews_token(profile: &'static str, preset: Preset, rejection: u16) -> BoxFuture<'static, ()> {
    pull_with_revoked_tokens(profile, preset, rejection).boxed()
}

async fn pull_with_revoked_tokens(profile: &str, preset: Preset, rejection: u16) {
    let (host, user) = (preset.host.clone(), preset.capabilities.credential.unwrap().0);
    let setup = RegistrySetup::with_profile(profile, preset).await;
    setup.warm().await;
    for number in [1, 2] {
        setup.registry.revoke_tokens();
        let reply = setup.get(&setup.private_manifest()).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let steps = setup.steps();
        let expected = [
            format!("GET bearer#{number} {rejection}"),
            format!("token GET basic:{user} 200"),
            format!("GET bearer#{} 200", number + 1),
        ];
        assert_eq!(steps, expected, "{host}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_later_challenge_with_another_realm_or_scheme_is_ignored() {
    // NGC names another realm for an expired token, Harbor another scheme.
    for (profile, preset) in registries_of(&["ngc", "harbor"]) {
        assert_renews_token(profile, preset, 401).await;
    }
    let later_challenges = [
        ("acr", Preset::acr(), r#"Basic realm="Azure Container Registry""#),
        ("harbor", Preset::harbor(), r#"Basic realm="harbor""#),
        (
            "ngc",
            Preset::ngc(),
            r#"Bearer realm="http://authn.ngc.test/token",service="registry",error="invalid_token""#,
        ),
    ];
    for (profile, preset, challenge) in later_challenges {
        for (_, setup) in RegistrySetup::with_and_without_credential(profile, &preset).await {
            setup.warm_with(&setup.public_manifest()).await;
            setup.registry.api().inject(Fault::challenge(&[challenge]).times(1));
            assert_eq!(setup.get(&setup.public_manifest()).await.status, 200, "{profile}");
            let steps = setup.steps();
            assert_eq!((steps.len(), &*steps[0], &*steps[2]), (3, "GET bearer#1 401", "GET bearer#2 200"), "{profile}");
            assert!(steps[1].starts_with("token GET"), "{profile}: the same token service: {steps:?}");
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_rejection_without_challenge_renews_the_token() {
    for (profile, preset) in registries_of(&["google", "zot"]) {
        if preset.capabilities.auth_kind == AuthKind::Token {
            assert_renews_token(profile, preset, 401).await;
        }
    }
    assert_renews_token("ecr-public", Preset::ecr_public(), 400).await;
}

#[tokio::test(start_paused = true)]
async fn rule_17_and_18_an_expired_ecr_password_is_renewed_from_its_source() {
    // The rejection of HEAD has no body, and neither rejection has a challenge.
    for method in [Method::GET, Method::HEAD] {
        let setup = EcrSetup::new().await;
        let regpass = setup.start("", &ENVIRONMENT);
        assert_eq!(regpass.get(APP).await.status, 200);
        // After a 403 without a message, as for HEAD, regpass renews a password only if it is old enough.
        sleep(Duration::from_secs(2 * 60 * 60)).await;
        setup.sim.ledger().take();
        setup.registry.users().revoke_temporary();
        let reply = regpass.send(request(method.clone(), APP)).await;
        assert_eq!(reply.status, 200, "{method}: {reply:?}");
        let steps: Vec<String> = setup.sim.ledger().take().iter().map(describe_step).collect();
        let renewed = "ecr-api POST other 200".to_owned();
        assert_eq!(steps, [format!("{method} basic:AWS 403"), renewed, format!("{method} basic:AWS 200")]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_18_an_error_that_reports_expiry_renews_the_token_and_others_do_not() {
    assert_renews_token("ecr-public", Preset::ecr_public(), 400).await;
    assert_renews_token("distribution", Preset::distribution(AuthMode::Token), 401).await;
    assert_renews_token("ngc", Preset::ngc(), 401).await;
    // The same status with another message is a denial.
    for (profile, preset, status) in [("ecr", Preset::ecr(), 403), ("ecr-public", Preset::ecr_public(), 400)] {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        let reply = Reply::error(status, "DENIED", "User is not authorized to perform: BatchGetImage");
        setup.registry.api().inject(Fault::answer(reply));
        let reply = setup.get(&setup.private_manifest()).await;
        assert_eq!(reply.status_and_code(), format!("{status} DENIED"), "{profile}");
        assert_eq!(setup.steps().len(), 1, "{profile}");
        setup.sim.finish();
    }
    // At other registries this message has no meaning.
    let setup = RegistrySetup::with_profile("generic", Preset::generic()).await;
    setup.warm().await;
    let message = Reply::error(403, "DENIED", "Your authorization token has expired.");
    setup.registry.api().inject(Fault::answer(message));
    assert_eq!(setup.get(&setup.private_manifest()).await.status_and_code(), "403 DENIED");
    assert_eq!(setup.steps().len(), 1);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_18_a_rejected_head_renews_a_token_that_is_old_enough() {
    let head = |setup: &RegistrySetup| {
        let target = setup.private_manifest();
        request(Method::HEAD, &target)
    };
    // There is no newer password: the client gets the rejection.
    let setup = RegistrySetup::with_profile("ecr", Preset::ecr()).await;
    setup.warm().await;
    sleep(Duration::from_secs(43_300)).await;
    assert_eq!(setup.regpass.send(head(&setup)).await.status, 403);
    assert_eq!(setup.steps(), ["HEAD basic:AWS 403"]);
    setup.sim.finish();

    for (age, status, steps) in [(10, 400, 1), (120, 200, 3)] {
        let setup = RegistrySetup::with_profile("ecr-public", Preset::ecr_public()).await;
        setup.warm().await;
        sleep(Duration::from_secs(age)).await;
        setup.registry.revoke_tokens();
        let reply = setup.regpass.send(head(&setup)).await;
        assert_eq!((reply.status.as_u16(), setup.steps().len()), (status, steps), "after {age} s");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_19_no_password_is_sent_before_the_challenge() {
    for_each(all_registries(), async |host, setup| {
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        setup.push_manifest().await;
        if !matches!(setup.capabilities.catalog, Catalog::AdminByBasic { .. }) {
            setup.get("/v2/_catalog").await;
        }
        let entries = setup.sim.ledger().take();
        let api: Vec<String> = entries
            .iter()
            .filter(|entry| entry.server == "registry")
            .map(|entry| entry.authorization.to_string())
            .collect();
        assert_eq!(api[0], "anonymous", "{host}");
        let basic = api.iter().any(|authorization| authorization.starts_with("basic"));
        assert_eq!(basic, setup.capabilities.auth_kind == AuthKind::Basic, "{host}: {api:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_20_a_scope_that_head_does_not_show_is_learned_by_get() {
    for_each(registries_of(&["artifactory"]), async |host, setup| {
        let reply = setup.send(Method::HEAD, &setup.private_manifest()).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let calls = token_calls(&setup.sim);
        assert_eq!(scopes_of(calls.last().unwrap()), ["repository:acme/private:pull"], "{host}");
        // regpass knows the scope now.
        for target in [setup.private_manifest(), setup.private_layer()] {
            assert_eq!(setup.send(Method::HEAD, &target).await.status, 200, "{host}");
        }
        assert!(setup.steps().iter().all(|step| !step.starts_with("token") && !step.ends_with("401")), "{host}");
    })
    .await;
}
