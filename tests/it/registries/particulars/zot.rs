//! Zot, with tokens and with passwords.

use http::Method;

use super::{Scene, manifest_of};
use crate::sim::{Preset, Rule};

/// Its scope is a repository without a name; the host does not tell, its first challenge does.
#[tokio::test(start_paused = true)]
async fn the_catalog_comes_with_its_own_scope() {
    for (profile, first) in
        [("profile = \"zot\"", "registry GET /v2/_catalog anonymous 401"), ("", "registry GET /v2/ anonymous 401")]
    {
        let scene = Scene::with_login(Preset::zot(), profile).await;
        let reply = scene.get("/v2/_catalog").await;
        assert_eq!(reply.status, 200, "{profile}: {reply:?}");
        scene.expect(&[
            first,
            "token GET /auth?service=zot&scope=repository::pull basic:acme 200",
            "registry GET /v2/_catalog bearer#1 200",
        ]);
        scene.sim.finish();
    }
}

/// A 200 says nothing about what is wanted, whatever stands in its header.
#[tokio::test(start_paused = true)]
async fn a_challenge_on_a_200_is_decoration() {
    let mut preset = Preset::zot();
    preset.gate.open = true;
    let scene = Scene::with_login(preset, "allow = [\"pull\", \"push\"]").await;
    let begun = scene.send(Method::POST, "/v2/acme/private/blobs/uploads/").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    scene.expect(&["registry GET /v2/ anonymous 200", "registry POST /v2/acme/private/blobs/uploads/ anonymous 202"]);
    scene.sim.finish();
}

/// What is forbidden is a 403 that asks for Basic all the same: the login was good, and stays in use.
#[tokio::test(start_paused = true)]
async fn a_403_that_asks_for_basic_is_a_403() {
    let scene = Scene::with_login(Preset::zot_basic(), "profile = \"zot\"").await;
    scene.registry.keep("other/app", "1", &scene.image);
    let own = manifest_of(scene.private);
    assert_eq!(scene.get(&own).await.grant(), "direct");
    scene.expect(&[&format!("registry GET {own} anonymous 401"), &format!("registry GET {own} basic:acme 200")]);
    let refused = scene.get("/v2/other/app/manifests/1").await;
    assert_eq!((refused.verdict(), refused.header("www-authenticate")), ("403 DENIED".to_owned(), None));
    scene.expect(&["registry GET /v2/other/app/manifests/1 basic:acme 403"]);
    assert_eq!(scene.get(&own).await.grant(), "direct");
    scene.expect(&[&format!("registry GET {own} basic:acme 200")]);
    assert!(scene.regpass.metric("regpass_credential_rejected_total").is_empty());
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_over_is_a_401_without_a_word_and_renewed_where_it_came_from() {
    let scene = Scene::with_login(Preset::zot(), "profile = \"zot\"").await;
    scene.sim.allow(Rule::UnknownBearer);
    let target = manifest_of(scene.private);
    assert_eq!(scene.get(&target).await.status, 200);
    scene.sim.ledger().take();
    scene.registry.revoke_tokens();
    assert_eq!(scene.get(&target).await.status, 200);
    scene.expect(&[
        &format!("registry GET {target} bearer#1 401"),
        "token GET /auth?service=zot&scope=repository:acme/private:pull basic:acme 200",
        &format!("registry GET {target} bearer#2 200"),
    ]);
    scene.sim.finish();
}
