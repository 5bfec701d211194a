//! Google's Artifact Registry and Container Registry.

use http::Method;

use super::{Scene, login, manifest_of};
use crate::sim::Preset;

/// Where blobs are is said relative to the registry, outside its API.
#[tokio::test(start_paused = true)]
async fn a_blob_comes_by_an_address_without_a_host() {
    for redirects in ["follow", "pass"] {
        let scene =
            Scene::with_login(Preset::google(), &format!("profile = \"google\"\nredirects = \"{redirects}\"")).await;
        let blob = scene.get(&scene.blob(scene.private)).await;
        assert_eq!(
            (blob.status.as_u16(), blob.body.len() as u64),
            (200, scene.image.blobs[0].len()),
            "{redirects}: {blob:?}"
        );
        assert_eq!(blob.header("location"), None);
        let seen = scene.sim.ledger().take();
        let last = seen.last().unwrap();
        assert!(last.path.starts_with("/artifacts-downloads/namespaces/project/"), "{seen:?}");
        scene.sim.finish();
    }
}

/// Without a service where none is named, and with the one that stands there without quotes.
#[tokio::test(start_paused = true)]
async fn the_service_is_what_the_challenge_named_if_anything() {
    for (preset, name, base, repository) in [
        (Preset::google(), "project/images/private", "", "service=pkg.test&"),
        (Preset::gcr(), "project/private", "service=gcr.test&", "service=gcr.test&"),
    ] {
        let login = login(&preset);
        let pulls = Scene::set(preset.clone(), &format!("profile = \"google\"\n{login}")).await;
        assert_eq!(pulls.get(&manifest_of(name)).await.status, 200);
        pulls.expect(&[
            &format!("registry GET /v2/{name}/manifests/1 anonymous 401"),
            &format!("token GET /v2/token?{repository}scope=repository:{name}:pull basic:oauth2accesstoken 200"),
            &format!("registry GET /v2/{name}/manifests/1 bearer#1 200"),
        ]);
        pulls.sim.finish();

        let pushes = Scene::set(preset, &format!("profile = \"google\"\nallow = [\"pull\", \"push\"]\n{login}")).await;
        let begun = pushes.send(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        assert!(begun.header("location").unwrap().starts_with(&format!("/v2/{name}/blobs/uploads/")), "{begun:?}");
        pushes.expect(&[
            "registry GET /v2/ anonymous 401",
            &format!("token GET /v2/token?{base}scope=repository:{name}:pull,push basic:oauth2accesstoken 200"),
            &format!("registry POST /v2/{name}/blobs/uploads/ bearer#1 202"),
        ]);
        pushes.sim.finish();
    }
}

/// Nobody is sent for a token that public content does not need.
#[tokio::test(start_paused = true)]
async fn what_is_public_costs_one_request() {
    let scene = Scene::set(Preset::google(), "profile = \"google\"").await;
    for _ in 0..2 {
        assert_eq!(scene.get(&manifest_of(scene.public)).await.status, 200);
        scene.expect(&["registry GET /v2/project/images/public/manifests/1 anonymous 200"]);
    }
    let refused = scene.get(&manifest_of(scene.private)).await;
    assert_eq!(refused.verdict(), "403 DENIED", "{refused:?}");
    scene.sim.ledger().take();
    assert_eq!(scene.get(&manifest_of(scene.public)).await.status, 200, "a closed door beside it changes nothing");
    scene.sim.finish();
}
