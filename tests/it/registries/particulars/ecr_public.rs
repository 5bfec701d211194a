//! Amazon ECR Public.

use super::{Scene, manifest_of};
use crate::sim::{Fault, Preset, Reply};

#[tokio::test(start_paused = true)]
async fn a_head_of_a_blob_is_answered_from_a_get_with_the_blobs_length() {
    let scene = Scene::set(Preset::ecr_public(), "profile = \"ecr-public\"").await;
    let target = scene.blob(scene.public);
    assert_eq!(scene.get(&manifest_of(scene.public)).await.status, 200);
    scene.sim.ledger().take();
    let head = scene.regpass.head(&target).await;
    let length = scene.image.blobs[0].len().to_string();
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some(&*length)), "{head:?}");
    assert_eq!(head.header("docker-content-digest"), Some(&*scene.image.blobs[0].digest));
    let seen = scene.sim.ledger().take();
    let at_registry: Vec<String> = seen.iter().filter(|e| e.server == "registry").map(ToString::to_string).collect();
    assert_eq!(at_registry, [format!("registry GET {target} bearer#1 307")]);
    assert!(seen.len() == 2 && seen[1].headers["range"] == "bytes=0-0", "one byte tells the length: {seen:?}");

    // Whoever pushes looks for what is missing: a 404 stays one.
    let missing = format!("/v2/{}/blobs/sha256:{}", scene.public, "0".repeat(64));
    assert_eq!(scene.regpass.head(&missing).await.status, 404);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_400_about_the_token_is_worth_one_new_token() {
    let scene = Scene::set(Preset::ecr_public(), "profile = \"ecr-public\"").await;
    let target = manifest_of(scene.public);
    assert_eq!(scene.get(&target).await.status, 200);
    scene.sim.ledger().take();
    scene.registry.revoke_tokens();
    assert_eq!(scene.get(&target).await.status, 200);
    scene.expect(&[
        "registry GET /v2/acme/public/manifests/1 bearer#1 400",
        "token GET /token/?service=public.ecr.aws&scope=repository:acme/public:pull anonymous 200",
        "registry GET /v2/acme/public/manifests/1 bearer#2 200",
    ]);
    // One, and no more.
    scene
        .registry
        .registry()
        .inject(Fault::answer(Reply::error(400, "DENIED", "Your Authorization Token is invalid.")).path("/manifests/"));
    let refused = scene.get(&target).await;
    assert!(refused.status.is_client_error() && refused.error().0 == "DENIED", "{refused:?}");
    scene.expect(&[
        "registry GET /v2/acme/public/manifests/1 bearer#2 400",
        "token GET /token/?service=public.ecr.aws&scope=repository:acme/public:pull anonymous 200",
        "registry GET /v2/acme/public/manifests/1 bearer#3 400",
    ]);
    scene.sim.finish();
}

/// Basic at the API is a 400 there, so a login is shown to the token service alone.
#[tokio::test(start_paused = true)]
async fn a_login_is_shown_to_the_token_service_only() {
    let scene = Scene::with_login(Preset::ecr_public(), "profile = \"ecr-public\"").await;
    assert_eq!(scene.get(&manifest_of(scene.private)).await.status, 200);
    scene.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "token GET /token/?service=public.ecr.aws&scope=repository:acme/private:pull basic:AWS 200",
        "registry GET /v2/acme/private/manifests/1 bearer#1 200",
    ]);
    scene.sim.finish();
}
