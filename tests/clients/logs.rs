//! What the log tells of the pulls and pushes of real clients: one line each.

use serde_json::{Value, json};

use crate::docker::{docker, start};
use crate::process::{output, private};
use crate::push::ALLOW;
use crate::registry::Registry;
use crate::scene::{LONG, Login, NS, Scene};

#[tokio::test]
async fn docker_and_skopeo_leave_one_line_for_each_image() {
    let scene = Scene::set_with(Registry::start_token(LONG).await, Login::Password, ALLOW).await;
    let _dockerd = start(scene.home(), None).await;
    let (pulled, pushed) = (scene.regpass.image("reg/toddysm/python:3.12"), scene.regpass.image("reg/team/app:1"));
    let wanted = format!("--platform=linux/{}", scene.image.platforms[0].architecture);
    output(docker(scene.home()).args(["pull", &wanted, &pulled])).await;
    output(docker(scene.home()).args(["tag", &pulled, &pushed])).await;
    output(docker(scene.home()).args(["push", &pushed])).await;
    let files = format!("dir:{}", scene.home().join("files").display());
    let source = format!("docker://{}", scene.regpass.image("python:3.12"));
    output(private("skopeo", scene.home()).args(["copy", "--all", "--src-tls-verify=false", &source, &files])).await;

    let pull = scene.regpass.told_of(&format!("{NS}/toddysm/python:3.12")).await;
    let whole = json!({ "direction": "pull", "outcome": "ok", "digest": scene.image.digest, "token_fetches": 1 });
    assert_told(&pull, &whole);
    assert_told(&pull, &json!({ "manifests": 2, "blobs": 2 }));
    assert!(pull["bytes"].as_u64() > Some(0) && pull["ms"].is_u64(), "{pull:#}");

    let push = scene.regpass.told_of(&format!("{NS}/team/app:1")).await;
    assert_told(&push, &json!({ "direction": "push", "outcome": "ok", "manifests": 1, "blobs": 2 }));

    let copy = scene.regpass.told_of("docker.io/library/python:3.12").await;
    let platforms = scene.image.platforms.len();
    assert_told(&copy, &whole);
    assert_told(&copy, &json!({ "manifests": 1 + platforms, "blobs": 2 * platforms }));

    let log = scene.close();
    let images = log.iter().filter(|line| line.contains("\"message\":\"image\""));
    assert_eq!(images.count(), 3, "{log:#?}");
}

#[track_caller]
fn assert_told(told: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&told[name], value, "{name} of {told:#}");
    }
}
