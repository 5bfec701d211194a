//! Azure Container Registry.

use super::{Scene, manifest_of};
use crate::sim::Preset;

#[tokio::test(start_paused = true)]
async fn a_list_of_tags_asks_for_metadata_too_and_once() {
    let scene = Scene::with_login(Preset::acr(), "profile = \"acr\"").await;
    let tags = format!("/v2/{}/tags/list", scene.private);
    assert_eq!(scene.get(&tags).await.status, 200);
    scene.expect(&[
        "registry GET /v2/acme/private/tags/list anonymous 401",
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull,metadata_read basic:acr 200",
        "registry GET /v2/acme/private/tags/list bearer#1 200",
    ]);
    for target in [&tags, &manifest_of(scene.private)] {
        assert_eq!(scene.get(target).await.status, 200);
        assert_eq!(scene.sim.ledger().take().len(), 1, "{target}");
    }
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_pull_asks_for_no_metadata() {
    let scene = Scene::with_login(Preset::acr(), "profile = \"acr\"").await;
    assert_eq!(scene.get(&manifest_of(scene.private)).await.status, 200);
    scene.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull basic:acr 200",
        "registry GET /v2/acme/private/manifests/1 bearer#1 200",
    ]);
    assert_eq!(scene.get("/v2/acme/private/tags/list").await.status, 200);
    scene.expect(&[
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull,metadata_read basic:acr 200",
        "registry GET /v2/acme/private/tags/list bearer#2 200",
    ]);
    scene.sim.finish();
}

/// Anonymous pull is no anonymous list of tags, and says nothing of pulls: not where the registry is known, nor where
/// only its challenge told of the metadata.
#[tokio::test(start_paused = true)]
async fn who_may_list_no_tags_may_pull_all_the_same() {
    for more in ["profile = \"acr\"", "", "profile = \"generic\""] {
        let scene = Scene::set(Preset::acr(), more).await;
        let (tags, manifest) = (format!("/v2/{}/tags/list", scene.public), manifest_of(scene.public));
        let refused = scene.get(&tags).await;
        assert_eq!(refused.verdict(), "403 DENIED", "{more}");
        scene.expect(&[
            "registry GET /v2/acme/public/tags/list anonymous 401",
            "token GET /oauth2/token?service=acr.test&scope=repository:acme/public:pull,metadata_read anonymous 200",
            "registry GET /v2/acme/public/tags/list bearer#1 401",
        ]);
        let pulled = scene.get(&manifest).await;
        assert_eq!(pulled.status, 200, "{more}: {pulled:?}");
        assert_eq!(scene.get(&tags).await.verdict(), "403 DENIED", "{more}");
        scene.sim.ledger().take();

        // A token that was refused for it, once more the other way round.
        scene.registry.revoke_tokens();
        assert_eq!(scene.get(&manifest).await.status, 200, "{more}");
        let asked = scene.sim.ledger().take();
        let scopes: Vec<_> = asked.iter().filter_map(|entry| entry.query_value("scope")).collect();
        assert_eq!(scopes, ["repository:acme/public:pull"], "{more}");
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_of_ones_own_is_known_from_its_first_challenge() {
    let scene = Scene::with_login(Preset::acr(), "").await;
    assert_eq!(scene.get(&manifest_of(scene.private)).await.status, 200);
    scene.sim.ledger().take();
    assert_eq!(scene.get("/v2/acme/private/tags/list").await.status, 200);
    scene.expect(&[
        "token GET /oauth2/token?service=acr.test&scope=repository:acme/private:pull,metadata_read basic:acr 200",
        "registry GET /v2/acme/private/tags/list bearer#2 200",
    ]);
    scene.sim.finish();
}
