//! Harbor.

use super::{Scene, called, manifest_of, password_of};
use crate::sim::Preset;

/// The realm is made of the `Host` it is asked with: with the client's it would lead back to regpass.
#[tokio::test(start_paused = true)]
async fn its_realm_is_its_own_whatever_the_client_calls_it() {
    for host in ["localhost:5050", "127.0.0.1:5050", "harbor.corp.example"] {
        let scene = Scene::set(Preset::harbor(), "hosts = [\"harbor.corp.example\"]").await;
        let reply = scene.regpass.send(called(host, &manifest_of(scene.public))).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
        let seen = scene.sim.ledger().entries();
        assert!(seen.iter().all(|entry| entry.headers["host"] == "harbor.test"), "{host}");
        scene.expect(&[
            "registry GET /v2/acme/public/manifests/1 anonymous 401",
            "token GET /service/token?service=harbor-registry&scope=repository:acme/public:pull anonymous 200",
            "registry GET /v2/acme/public/manifests/1 bearer#1 200",
        ]);
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_administrator_lists_the_catalog_with_the_login_itself() {
    for profile in ["profile = \"harbor\"", ""] {
        let admin = password_of("admin", "Harbor12345");
        let scene = Scene::set(Preset::harbor(), &format!("{profile}\n{admin}")).await;
        scene.registry.user("admin", "Harbor12345");
        let reply = scene.get("/v2/_catalog").await;
        assert_eq!(reply.status, 200, "{profile}: {reply:?}");
        assert_eq!(reply.json()["repositories"][0], "acme/private");
        scene.expect(&["registry GET /v2/ anonymous 401", "registry GET /v2/_catalog basic:admin 200"]);
        assert_eq!(scene.get("/v2/_catalog?n=1").await.status, 200);
        scene.expect(&["registry GET /v2/_catalog?n=1 basic:admin 200"]);

        // Everything else is had by token, with the same login.
        let pulled = scene.get(&manifest_of(scene.public)).await;
        assert_eq!((pulled.status.as_u16(), pulled.grant()), (200, "fetched"), "{profile}");
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_catalog_for_administrators_is_refused_to_others_in_words_and_their_pulls_go_on() {
    for profile in ["profile = \"harbor\"", ""] {
        let scene = Scene::with_login(Preset::harbor(), profile).await;
        let refused = scene.get("/v2/_catalog").await;
        assert_eq!(refused.verdict(), "403 DENIED", "{profile}");
        let message = refused.error().1;
        assert!(
            message.contains("a login that may do this") && refused.header("www-authenticate").is_none(),
            "{message}"
        );
        scene.sim.ledger().take();
        let pulled = scene.get(&manifest_of(scene.private)).await;
        assert_eq!((pulled.status.as_u16(), pulled.grant()), (200, "fetched"), "{profile}: {pulled:?}");
        assert!(scene.regpass.metric("regpass_credential_rejected_total").is_empty(), "the login is a good one");
        scene.sim.finish();
    }
    // Without a login nobody is asked.
    let scene = Scene::set(Preset::harbor(), "profile = \"harbor\"").await;
    let refused = scene.get("/v2/_catalog").await;
    assert_eq!(refused.verdict(), "403 DENIED");
    assert!(refused.error().1.contains("'credential'"), "{refused:?}");
    scene.expect(&[]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_project_that_is_not_there_is_a_403_though_its_challenge_is_empty() {
    let scene = Scene::with_login(Preset::harbor(), "profile = \"harbor\"").await;
    let refused = scene.get("/v2/nowhere/app/manifests/1").await;
    assert_eq!(refused.verdict(), "403 DENIED", "{refused:?}");
    scene.expect(&[
        "registry GET /v2/nowhere/app/manifests/1 anonymous 401",
        "registry GET /v2/ anonymous 401",
        "token GET /service/token?service=harbor-registry&scope=repository:nowhere/app:pull basic:acme 200",
        "registry GET /v2/nowhere/app/manifests/1 bearer#1 401",
    ]);
    assert_eq!(scene.get(&manifest_of(scene.private)).await.status, 200);
    scene.sim.finish();
}
