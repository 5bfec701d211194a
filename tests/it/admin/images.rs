//! The images of `/status.json` and of the page: what was pulled and pushed, and what became of it.

use std::time::Duration;

use regpass::observe::image::QUIET;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{APP, Scene, words};
use crate::credentials::password;
use crate::harness::put;
use crate::sim::{Family, Fault, Image};

/// What is told once everything has been quiet for a while.
async fn images(scene: &Scene) -> Vec<Value> {
    sleep(QUIET * 2).await;
    scene.regpass.status().await["images"].as_array().unwrap().clone()
}

/// The part of the page about images, without markup.
async fn shown(scene: &Scene) -> String {
    let page = scene.page().await;
    let section = page.split("<section id=\"images\"").nth(1).expect("a section");
    words(section.split("</section>").next().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_told_with_what_it_moved_and_what_its_authorization_cost() {
    let scene = Scene::new("", "").await;
    scene.hub.token().inject(Fault::delay(Duration::from_millis(40)));
    scene.pull().await;
    let top = scene.regpass.get(APP).await;
    assert!(!scene.page().await.contains("id=\"images-title\""), "it is not over yet");
    let ended = scene.regpass.status().await["at"].as_f64().unwrap();
    let images = images(&scene).await;
    let [image] = images.as_slice() else { panic!("{images:#?}") };
    let digest = top.header("docker-content-digest").unwrap();
    let bytes = top.body.len() * 2;
    assert_eq!(
        image,
        &json!({
            "number": 1, "at": image["at"], "image": "docker.io/team/app:1", "digest": digest, "direction": "pull",
            "outcome": "ok", "manifests": 1, "blobs": 0, "bytes": bytes, "requests": 2, "token_fetches": 1,
            "auth_ms": 40.0, "total_ms": 40.0, "other_tags": 0, "failure": null,
        })
    );
    assert!((image["at"].as_f64().unwrap() - ended).abs() < 1.0, "its end, not when it was found to be over: {image}");
    let shown = shown(&scene).await;
    for told in ["ok", "pull docker.io/team/app:1", &digest[..19], "1 token fetched, 40 ms"] {
        assert!(shown.contains(told), "'{told}' is missing in: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_is_told_as_one_and_the_newest_image_comes_first() {
    let login = format!("allow = [\"pull\", \"push\"]\n{}", password("alice", "alices-password"));
    let scene = Scene::new("", &login).await;
    scene.pull().await;
    images(&scene).await;
    let image = Image::multi_arch("app", Family::Oci);
    let target = "/v2/corp.example:5000/team/app/manifests/2";
    assert_eq!(scene.regpass.send(put(target, &image)).await.status, 201);
    let images = images(&scene).await;
    let told: Vec<_> = images.iter().map(|image| (&image["image"], &image["direction"])).collect();
    let (push, pull) = (json!("corp.example:5000/team/app:2"), json!("docker.io/team/app:1"));
    assert_eq!(told, [(&push, &json!("push")), (&pull, &json!("pull"))]);
    assert_eq!(images[0]["bytes"], image.top().bytes.len());
    let shown = shown(&scene).await;
    assert!(shown.find("push corp.example:5000/team/app:2") < shown.find("pull docker.io/team/app:1"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_failed_says_why_and_what_to_do() {
    let scene = Scene::new("", "").await;
    assert_eq!(scene.regpass.get("/v2/docker.io/team/app/manifests/none").await.status, 404);
    let images = images(&scene).await;
    let failure = &images[0]["failure"];
    assert_eq!((&images[0]["outcome"], &failure["blame"]), (&json!("failed"), &json!("client")), "{images:#?}");
    let shown = shown(&scene).await;
    for told in ["failed", "pull docker.io/team/app:none", failure["advice"].as_str().unwrap()] {
        assert!(shown.contains(told), "'{told}' is missing in: {shown}");
    }
}

/// Every push asks first which blobs are there: nobody has to look at that among the errors.
#[tokio::test(start_paused = true)]
async fn a_blob_that_is_not_there_yet_is_no_failure_of_a_push() {
    let scene = Scene::new("", "").await;
    let absent = format!("/v2/docker.io/team/app/blobs/sha256:{}", "d".repeat(64));
    assert_eq!(scene.regpass.head(&absent).await.status, 404);
    let status = scene.regpass.status().await;
    assert_eq!((&status["errors"], &status["totals"]["failed"]), (&json!([]), &json!(0)));
    assert_eq!((&status["requests"][0]["status"], &status["requests"][0]["failure"]), (&json!(404), &Value::Null));
    let counted = scene.regpass.metric("regpass_requests_total{");
    assert!(counted.iter().any(|line| line.contains("status=\"404\",blame=\"\"")), "{counted:#?}");
    // Who wants it gets none, and that is one.
    assert_eq!(scene.regpass.get(&absent).await.status, 404);
    assert_eq!(scene.regpass.status().await["totals"]["failed"], 1);
}

#[tokio::test(start_paused = true)]
async fn as_many_are_told_as_there_is_room_for_and_the_older_ones_are_folded_away() {
    let scene = Scene::new("", "").await;
    for number in 0..60 {
        let target = format!("/v2/docker.io/team/app{number}/manifests/1");
        assert_ne!(scene.regpass.get(&target).await.status, 200);
    }
    let images = images(&scene).await;
    assert_eq!(images.len(), 50);
    assert!(images[0]["number"].as_u64() > images[49]["number"].as_u64(), "the newest first");
    let page = scene.page().await;
    assert_eq!(page.matches("data-key=\"image-").count(), 50);
    assert!(page.contains("<summary>42 older</summary>"), "{page}");
}
