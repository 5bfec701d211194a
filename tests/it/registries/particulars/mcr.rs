//! The Microsoft Artifact Registry.

use http::Method;

use super::{Scene, manifest_of};
use crate::sim::{Fault, Preset};

#[tokio::test(start_paused = true)]
async fn nothing_is_written_there_and_nobody_is_asked() {
    let scene = Scene::set(Preset::mcr(), "profile = \"mcr\"\nallow = [\"pull\", \"push\", \"delete\"]").await;
    for (method, path) in [
        (Method::POST, "blobs/uploads/".to_owned()),
        (Method::PUT, "manifests/1".to_owned()),
        (Method::DELETE, "manifests/1".to_owned()),
        (Method::DELETE, format!("blobs/{}", scene.image.blobs[0].digest)),
    ] {
        let refused = scene.send(method.clone(), &format!("/v2/dotnet/sdk/{path}")).await;
        assert_eq!(refused.verdict(), "405 UNSUPPORTED", "{method} {path}");
        assert!(refused.error().1.contains("only its owner publishes there"), "{refused:?}");
    }
    scene.expect(&[]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn referrers_are_asked_for_and_their_absence_is_a_404() {
    let scene = Scene::set(Preset::mcr(), "profile = \"mcr\"").await;
    let target = format!("/v2/dotnet/sdk/referrers/{}", scene.image.digest());
    let reply = scene.get(&target).await;
    assert_eq!(reply.status, 404, "clients use the tag then: {reply:?}");
    assert!(!reply.error().0.is_empty());
    scene.expect(&[&format!("registry GET {target} anonymous 404")]);
    scene.sim.finish();
}

/// What the front door and the storage say is no JSON.
#[tokio::test(start_paused = true)]
async fn errors_in_text_and_in_xml_have_the_common_form() {
    let scene = Scene::set(Preset::mcr(), "profile = \"mcr\"").await;
    let unknown = scene.get("/v2/dotnet/nothing/tags/list").await;
    assert_eq!(unknown.verdict(), "404 NAME_UNKNOWN");
    scene.registry.registry().inject(Fault::answer(Preset::mcr_throttled_in_text()));
    let busy = scene.get(&manifest_of("dotnet/sdk")).await;
    assert_eq!(busy.verdict(), "429 TOOMANYREQUESTS");
    assert!(busy.error().1.contains("Ref A:"), "{busy:?}");
    scene.sim.finish();
}
