//! Harbor: its realm, its catalog and empty challenges.

use crate::harness::request;
use crate::proxied_registry::with_host;
use crate::registry_setup::{RegistrySetup, password_credential};
use crate::sim::Preset;
use http::Method;

/// Harbor builds the realm from the request's `Host`: with the client's `Host` the realm would be at regpass.
#[tokio::test(start_paused = true)]
async fn the_realm_is_at_harbor_for_every_host_name_the_client_uses() {
    for host in ["localhost:5050", "127.0.0.1:5050", "harbor.corp.example"] {
        let setup = RegistrySetup::without_credential(Preset::harbor(), "hosts = [\"harbor.corp.example\"]").await;
        let reply = setup.regpass.send(with_host(host, request(Method::GET, &setup.public_manifest()))).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let entries = setup.sim.ledger().entries();
        assert!(entries.iter().all(|entry| entry.headers["host"] == "harbor.test"), "{host}");
        setup.expect(&[
            "registry GET /v2/acme/public/manifests/1 anonymous 401",
            "token GET /service/token?service=harbor-registry&scope=repository:acme/public:pull anonymous 200",
            "registry GET /v2/acme/public/manifests/1 bearer#1 200",
        ]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_administrators_catalog_is_requested_with_basic() {
    for profile in ["profile = \"harbor\"", ""] {
        let admin = password_credential("admin", "Harbor12345");
        let setup = RegistrySetup::without_credential(Preset::harbor(), &format!("{profile}\n{admin}")).await;
        setup.registry.add_user("admin", "Harbor12345");
        let reply = setup.get("/v2/_catalog").await;
        assert_eq!(reply.status, 200, "{profile}: {reply:?}");
        assert_eq!(reply.json()["repositories"][0], "acme/private");
        setup.expect(&["registry GET /v2/ anonymous 401", "registry GET /v2/_catalog basic:admin 200"]);
        assert_eq!(setup.get("/v2/_catalog?n=1").await.status, 200);
        setup.expect(&["registry GET /v2/_catalog?n=1 basic:admin 200"]);

        // All other requests use tokens for the same credential.
        let pulled = setup.get(&setup.public_manifest()).await;
        assert_eq!((pulled.status.as_u16(), pulled.authorization_source()), (200, "fetched"), "{profile}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn the_catalog_is_a_403_for_other_users_whose_pulls_still_work() {
    for profile in ["profile = \"harbor\"", ""] {
        let setup = RegistrySetup::with_credential(Preset::harbor(), profile).await;
        let rejected = setup.get("/v2/_catalog").await;
        assert_eq!(rejected.status_and_code(), "403 DENIED", "{profile}");
        let message = rejected.error().1;
        assert!(
            message.contains("needs a credential that permits this") && rejected.header("www-authenticate").is_none(),
            "{message}"
        );
        setup.sim.ledger().take();
        let pulled = setup.get(&setup.private_manifest()).await;
        assert_eq!((pulled.status.as_u16(), pulled.authorization_source()), (200, "fetched"), "{profile}: {pulled:?}");
        assert!(
            setup.regpass.metric("regpass_credential_rejected_total").is_empty(),
            "the credential is not reported as rejected"
        );
        setup.sim.finish();
    }
    // Without a credential the catalog is a 403 without an upstream request.
    let setup = RegistrySetup::without_credential(Preset::harbor(), "profile = \"harbor\"").await;
    let rejected = setup.get("/v2/_catalog").await;
    assert_eq!(rejected.status_and_code(), "403 DENIED");
    assert!(rejected.error().1.contains("`credential`"), "{rejected:?}");
    setup.expect(&[]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_missing_project_with_an_empty_challenge_is_a_403() {
    let setup = RegistrySetup::with_credential(Preset::harbor(), "profile = \"harbor\"").await;
    let rejected = setup.get("/v2/nowhere/app/manifests/1").await;
    assert_eq!(rejected.status_and_code(), "403 DENIED", "{rejected:?}");
    setup.expect(&[
        "registry GET /v2/nowhere/app/manifests/1 anonymous 401",
        "registry GET /v2/ anonymous 401",
        "token GET /service/token?service=harbor-registry&scope=repository:nowhere/app:pull basic:acme 200",
        "registry GET /v2/nowhere/app/manifests/1 bearer#1 401",
    ]);
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    setup.sim.finish();
}
