//! The pulled and pushed images that `/status.json` and the status page list, with their outcome.

use std::time::Duration;

use regpass::observe::image::QUIET_PERIOD;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{APP, TwoRegistries, text_of};
use crate::credentials::password;
use crate::harness::manifest_put;
use crate::sim::{Fault, Image, ImageFormat};

/// The images in `/status.json`, once no pull or push is open any more.
async fn images(setup: &TwoRegistries) -> Vec<Value> {
    sleep(QUIET_PERIOD * 2).await;
    setup.regpass.status().await["images"].as_array().unwrap().clone()
}

/// The text of the status page's section about images.
async fn section_text(setup: &TwoRegistries) -> String {
    let page = setup.page().await;
    let section = page.split("<section id=\"images\"").nth(1).expect("a section");
    text_of(section.split("</section>").next().unwrap())
}

#[tokio::test(start_paused = true)]
async fn pull_is_listed_with_its_size_and_the_cost_of_its_authorization() {
    let setup = TwoRegistries::start("", "").await;
    setup.hub.token_service().inject(Fault::delay(Duration::from_millis(40)));
    setup.pull().await;
    let top = setup.regpass.get(APP).await;
    assert!(!setup.page().await.contains("id=\"images-title\""), "the pull may go on");
    let ended = setup.regpass.status().await["at"].as_f64().unwrap();
    let images = images(&setup).await;
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
    assert!((image["at"].as_f64().unwrap() - ended).abs() < 1.0, "`at` is the end of the last request: {image}");
    let shown = section_text(&setup).await;
    for part in ["ok", "pull docker.io/team/app:1", &digest[..19], "1 token fetched, 40 ms"] {
        assert!(shown.contains(part), "'{part}' is missing in: {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn push_is_listed_before_an_older_pull() {
    let corp = format!("allow = [\"pull\", \"push\"]\n{}", password("alice", "alices-password"));
    let setup = TwoRegistries::start("", &corp).await;
    setup.pull().await;
    images(&setup).await;
    let image = Image::multi_arch("app", ImageFormat::Oci);
    let target = "/v2/corp.example:5000/team/app/manifests/2";
    assert_eq!(setup.regpass.send(manifest_put(target, &image)).await.status, 201);
    let images = images(&setup).await;
    let listed: Vec<_> = images.iter().map(|image| (&image["image"], &image["direction"])).collect();
    let (push, pull) = (json!("corp.example:5000/team/app:2"), json!("docker.io/team/app:1"));
    assert_eq!(listed, [(&push, &json!("push")), (&pull, &json!("pull"))]);
    assert_eq!(images[0]["bytes"], image.top().bytes.len());
    let shown = section_text(&setup).await;
    assert!(shown.find("push corp.example:5000/team/app:2") < shown.find("pull docker.io/team/app:1"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn failed_pull_is_listed_with_cause_and_advice() {
    let setup = TwoRegistries::start("", "").await;
    assert_eq!(setup.regpass.get("/v2/docker.io/team/app/manifests/none").await.status, 404);
    let images = images(&setup).await;
    let failure = &images[0]["failure"];
    assert_eq!((&images[0]["outcome"], &failure["blame"]), (&json!("failed"), &json!("client")), "{images:#?}");
    let shown = section_text(&setup).await;
    for part in ["failed", "pull docker.io/team/app:none", failure["advice"].as_str().unwrap()] {
        assert!(shown.contains(part), "'{part}' is missing in: {shown}");
    }
}

/// Clients use HEAD before a push to find the blobs that exist already, so a 404 to HEAD is not listed as an error.
#[tokio::test(start_paused = true)]
async fn missing_blob_is_a_failure_for_get_but_not_for_head() {
    let setup = TwoRegistries::start("", "").await;
    let absent = format!("/v2/docker.io/team/app/blobs/sha256:{}", "d".repeat(64));
    assert_eq!(setup.regpass.head(&absent).await.status, 404);
    let status = setup.regpass.status().await;
    assert_eq!((&status["errors"], &status["totals"]["failed"]), (&json!([]), &json!(0)));
    assert_eq!((&status["requests"][0]["status"], &status["requests"][0]["failure"]), (&json!(404), &Value::Null));
    let counted = setup.regpass.metric("regpass_requests_total{");
    assert!(counted.iter().any(|line| line.contains("status=\"404\",blame=\"\"")), "{counted:#?}");
    assert_eq!(setup.regpass.get(&absent).await.status, 404);
    assert_eq!(setup.regpass.status().await["totals"]["failed"], 1);
}

#[tokio::test(start_paused = true)]
async fn list_holds_fifty_images_and_the_page_collapses_the_older_ones() {
    let setup = TwoRegistries::start("", "").await;
    for number in 0..60 {
        let target = format!("/v2/docker.io/team/app{number}/manifests/1");
        assert_ne!(setup.regpass.get(&target).await.status, 200);
    }
    let images = images(&setup).await;
    assert_eq!(images.len(), 50);
    assert!(images[0]["number"].as_u64() > images[49]["number"].as_u64(), "the newest comes first");
    let page = setup.page().await;
    assert_eq!(page.matches("data-key=\"image-").count(), 50);
    assert!(page.contains("<summary>42 older</summary>"), "{page}");
}
