//! Azure Container Registry: scopes for tags.

use crate::registry_setup::RegistrySetup;
use crate::sim::Preset;

#[tokio::test(start_paused = true)]
async fn a_list_of_tags_requests_metadata_read_once() {
    let setup = RegistrySetup::with_credential(Preset::acr(), "profile = \"acr\"").await;
    let tags = setup.private_path("tags/list");
    assert_eq!(setup.get(&tags).await.status, 200);
    setup.expect(&[
        "registry GET /v2/acme/private/tags/list anonymous 401",
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull,metadata_read basic:acr 200",
        "registry GET /v2/acme/private/tags/list bearer#1 200",
    ]);
    for target in [&tags, &setup.private_manifest()] {
        assert_eq!(setup.get(target).await.status, 200);
        assert_eq!(setup.sim.ledger().take().len(), 1, "{target}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_pull_does_not_request_metadata_read() {
    let setup = RegistrySetup::with_credential(Preset::acr(), "profile = \"acr\"").await;
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    setup.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull basic:acr 200",
        "registry GET /v2/acme/private/manifests/1 bearer#1 200",
    ]);
    assert_eq!(setup.get("/v2/acme/private/tags/list").await.status, 200);
    setup.expect(&[
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull,metadata_read basic:acr 200",
        "registry GET /v2/acme/private/tags/list bearer#2 200",
    ]);
    setup.sim.finish();
}

/// Anonymous pulls can be allowed where anonymous lists of tags are not. A denied list does not affect pulls, whether
/// the profile is configured, detected, or `generic`, with which only the challenge names `metadata_read`.
#[tokio::test(start_paused = true)]
async fn a_denied_list_of_tags_does_not_affect_pulls() {
    for more in ["profile = \"acr\"", "", "profile = \"generic\""] {
        let setup = RegistrySetup::without_credential(Preset::acr(), more).await;
        let (tags, manifest) = (format!("/v2/{}/tags/list", setup.public_repository()), setup.public_manifest());
        let rejected = setup.get(&tags).await;
        assert_eq!(rejected.status_and_code(), "403 DENIED", "{more}");
        setup.expect(&[
            "registry GET /v2/acme/public/tags/list anonymous 401",
            "token GET /oauth2/token?service=acr.test&scope=repository:acme/public:pull,metadata_read anonymous 200",
            "registry GET /v2/acme/public/tags/list bearer#1 401",
        ]);
        let pulled = setup.get(&manifest).await;
        assert_eq!(pulled.status, 200, "{more}: {pulled:?}");
        assert_eq!(setup.get(&tags).await.status_and_code(), "403 DENIED", "{more}");
        setup.sim.ledger().take();

        // After the tokens are revoked, the pull's new token has no `metadata_read`.
        setup.registry.revoke_tokens();
        assert_eq!(setup.get(&manifest).await.status, 200, "{more}");
        let requests = setup.sim.ledger().take();
        let scopes: Vec<_> = requests.iter().filter_map(|entry| entry.query_value("scope")).collect();
        assert_eq!(scopes, ["repository:acme/public:pull"], "{more}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_with_its_own_domain_is_detected_by_its_first_challenge() {
    let setup = RegistrySetup::with_credential(Preset::acr(), "").await;
    setup.warm().await;
    assert_eq!(setup.get("/v2/acme/private/tags/list").await.status, 200);
    setup.expect(&[
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull,metadata_read basic:acr 200",
        "registry GET /v2/acme/private/tags/list bearer#2 200",
    ]);
    setup.sim.finish();
}
