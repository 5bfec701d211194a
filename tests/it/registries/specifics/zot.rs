//! Zot: its catalog, its challenges and expired tokens.

use std::sync::Arc;

use http::Method;

use crate::registry_setup::RegistrySetup;
use crate::sim::{Preset, Rule};

/// The catalog's scope is a repository without a name. The profile is configured, or detected by the first challenge.
#[tokio::test(start_paused = true)]
async fn the_catalog_is_requested_with_zots_own_scope() {
    for (profile, first) in
        [("profile = \"zot\"", "registry GET /v2/_catalog anonymous 401"), ("", "registry GET /v2/ anonymous 401")]
    {
        let setup = RegistrySetup::with_credential(Preset::zot(), profile).await;
        let reply = setup.get("/v2/_catalog").await;
        assert_eq!(reply.status, 200, "{profile}: {reply:?}");
        setup.expect(&[
            first,
            "token GET /auth?service=zot&scope=repository::pull basic:acme 200",
            "registry GET /v2/_catalog bearer#1 200",
        ]);
        setup.sim.finish();
    }
}

/// Zot sends a challenge with a 200, too.
#[tokio::test(start_paused = true)]
async fn a_challenge_on_a_200_is_ignored() {
    let mut preset = Preset::zot();
    preset.access.open_to_all = true;
    let setup = RegistrySetup::with_credential(preset, "allow = [\"pull\", \"push\"]").await;
    let started = setup.send(Method::POST, "/v2/acme/private/blobs/uploads/").await;
    assert_eq!(started.status, 202, "{started:?}");
    setup.expect(&["registry GET /v2/ anonymous 200", "registry POST /v2/acme/private/blobs/uploads/ anonymous 202"]);
    setup.sim.finish();
}

/// Zot's 403 for a missing permission has a Basic challenge, but the credential is valid and stays in use.
#[tokio::test(start_paused = true)]
async fn a_403_with_a_basic_challenge_is_a_denial_with_a_credential() {
    let setup = RegistrySetup::with_credential(Preset::zot_basic(), "profile = \"zot\"").await;
    setup.registry.publish_private("other/app", "1", &setup.image);
    let own = setup.private_manifest();
    assert_eq!(setup.get(&own).await.authorization_source(), "direct");
    setup.expect(&[&format!("registry GET {own} anonymous 401"), &format!("registry GET {own} basic:acme 200")]);
    let rejected = setup.get("/v2/other/app/manifests/1").await;
    assert_eq!((rejected.status_and_code(), rejected.header("www-authenticate")), ("403 DENIED".to_owned(), None));
    setup.expect(&["registry GET /v2/other/app/manifests/1 basic:acme 403"]);
    assert_eq!(setup.get(&own).await.authorization_source(), "direct");
    setup.expect(&[&format!("registry GET {own} basic:acme 200")]);
    assert!(setup.regpass.metric("regpass_credential_rejected_total").is_empty());
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_renewed_after_a_401_without_challenge() {
    let setup = RegistrySetup::with_credential(Preset::zot(), "profile = \"zot\"").await;
    setup.sim.allow(Rule::UnknownBearer);
    let target = setup.private_manifest();
    setup.warm_with(&target).await;
    setup.registry.revoke_tokens();
    assert_eq!(setup.get(&target).await.status, 200);
    setup.expect(&[
        &format!("registry GET {target} bearer#1 401"),
        "token GET /auth?service=zot&scope=repository:acme/private:pull basic:acme 200",
        &format!("registry GET {target} bearer#2 200"),
    ]);
    setup.sim.finish();
}

/// From 2.1.18 on Zot checks the action `delete`, before it checked `push`. One token request names both, and one of them is
/// enough: a token service may know only one.
#[tokio::test(start_paused = true)]
async fn a_delete_requests_both_actions_and_one_of_them_is_enough() {
    for (preset, granted) in [(Preset::zot(), "delete"), (Preset::zot_before_2_1_18(), "push")] {
        for reduces in [false, true] {
            let mut preset = preset.clone();
            if reduces {
                preset.tokens.grant = Arc::new(move |request| {
                    let mut scopes = request.permitted_scopes();
                    for scope in &mut scopes {
                        scope.actions.retain(|action| action == granted);
                    }
                    Ok(scopes)
                });
            }
            let setup =
                RegistrySetup::with_credential(preset, "profile = \"zot\"\nallow = [\"pull\", \"delete\"]").await;
            let target = format!("/v2/acme/private/manifests/{}", setup.image.digest());
            assert_eq!(setup.send(Method::DELETE, &target).await.status, 202, "{granted}, {reduces}");
            setup.expect(&[
                "registry GET /v2/ anonymous 401",
                "token GET /auth?service=zot&scope=repository:acme/private:push,delete basic:acme 200",
                &format!("registry DELETE {target} bearer#1 202"),
            ]);
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_with_neither_action_granted_is_denied_before_it_is_sent() {
    let mut preset = Preset::zot();
    preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
    let setup = RegistrySetup::with_credential(preset, "profile = \"zot\"\nallow = [\"pull\", \"delete\"]").await;
    let target = format!("/v2/acme/private/manifests/{}", setup.image.digest());
    let denied = setup.send(Method::DELETE, &target).await;
    assert_eq!(denied.status_and_code(), "403 DENIED", "{denied:?}");
    setup.expect(&[
        "registry GET /v2/ anonymous 401",
        "token GET /auth?service=zot&scope=repository:acme/private:push,delete basic:acme 200",
    ]);
    setup.sim.finish();
}
