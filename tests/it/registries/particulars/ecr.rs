//! Amazon ECR, private. What its login costs over a day is in `clouds::ecr`.

use std::fs;
use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::{Scene, manifest_of};
use crate::sim::{Fault, Preset, Reply};

const HEAD: &str = "registry HEAD /v2/acme/private/manifests/1";

#[tokio::test(start_paused = true)]
async fn the_password_waits_for_the_challenge_and_then_goes_at_once() {
    let scene = Scene::with_login(Preset::ecr(), "profile = \"ecr\"").await;
    let target = manifest_of(scene.private);
    assert_eq!(scene.get(&target).await.grant(), "direct");
    scene.expect(&[
        "registry GET /v2/acme/private/manifests/1 anonymous 401",
        "registry GET /v2/acme/private/manifests/1 basic:AWS 200",
    ]);
    // The URL in the challenge is no place to call, for other repositories neither.
    for _ in 0..3 {
        assert_eq!(scene.get("/v2/acme/public/tags/list").await.status, 200);
        scene.expect(&["registry GET /v2/acme/public/tags/list basic:AWS 200"]);
    }
    scene.sim.finish();
}

/// A push is never sent on a guess: the base tells what is wanted, before the password and before the body.
#[tokio::test(start_paused = true)]
async fn a_first_push_asks_what_is_wanted_before_it_shows_the_password() {
    let scene = Scene::with_login(Preset::ecr(), "profile = \"ecr\"\nallow = [\"pull\", \"push\"]").await;
    let begun = scene.send(Method::POST, "/v2/acme/private/blobs/uploads/").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    scene.expect(&["registry GET /v2/ anonymous 401", "registry POST /v2/acme/private/blobs/uploads/ basic:AWS 202"]);
    scene.sim.finish();
}

/// A 403 to a HEAD has no words. It is worth a newer password where there is one, and stays a 403 where there is none.
#[tokio::test(start_paused = true)]
async fn a_head_with_an_old_password_is_sent_again_with_the_new_one_and_with_a_young_one_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "old").unwrap();
    let login = format!(
        "profile = \"ecr\"\ncredential = {{ source = \"password\", username = \"AWS\", password = {{ file = \"{}\" }} }}",
        file.display()
    );
    let scene = Scene::set(Preset::ecr(), &login).await;
    scene.registry.user("AWS", "old");
    let target = manifest_of(scene.private);
    assert_eq!(scene.regpass.head(&target).await.status, 200);
    scene.sim.ledger().take();

    scene.registry.user("AWS", "new");
    let refused = scene.regpass.head(&target).await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (403, 0));
    scene.expect(&[&format!("{HEAD} basic:AWS 403")]);

    fs::write(&file, "new").unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(scene.regpass.head(&target).await.status, 200);
    scene.expect(&[&format!("{HEAD} basic:AWS 200")]);
    scene.sim.finish();
}

/// Only the words of the body tell a password that is over from a door that is closed.
#[tokio::test(start_paused = true)]
async fn a_403_about_something_else_is_the_answer() {
    let scene = Scene::with_login(Preset::ecr(), "profile = \"ecr\"").await;
    let target = manifest_of(scene.private);
    assert_eq!(scene.get(&target).await.status, 200);
    scene.sim.ledger().take();
    let words = "User: arn:aws:iam::1:user/u is not authorized to perform: ecr:BatchGetImage";
    scene.registry.registry().inject(Fault::answer(Reply::error(403, "DENIED", words)).times(1));
    let refused = scene.get(&target).await;
    assert_eq!(refused.verdict(), "403 DENIED");
    assert!(refused.error().1.contains("ecr:BatchGetImage"), "{refused:?}");
    scene.expect(&["registry GET /v2/acme/private/manifests/1 basic:AWS 403"]);
    assert_eq!(scene.get(&target).await.status, 200, "and remembered for nobody");
    scene.sim.finish();
}
