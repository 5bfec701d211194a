//! The log lines about the pulls and pushes of real clients: one line for each image.

use serde_json::{Value, json};

use crate::docker::{docker, start};
use crate::process::{isolated, output};
use crate::push::ALLOW;
use crate::registry::Registry;
use crate::stack::{LONG_LIFETIME, SECOND_REGISTRY, Stack};

#[tokio::test]
async fn each_pull_and_push_of_docker_and_skopeo_is_one_log_line() {
    let stack = Stack::start_with(Registry::start_token(LONG_LIFETIME).await, ALLOW).await;
    let _dockerd = start(stack.home(), None).await;
    let (pulled, pushed) = (stack.regpass.image("reg/toddysm/python:3.12"), stack.regpass.image("reg/team/app:1"));
    let architecture = format!("--platform=linux/{}", stack.image.platforms[0].architecture);
    output(docker(stack.home()).args(["pull", &architecture, &pulled])).await;
    output(docker(stack.home()).args(["tag", &pulled, &pushed])).await;
    output(docker(stack.home()).args(["push", &pushed])).await;
    let files = format!("dir:{}", stack.home().join("files").display());
    let source = format!("docker://{}", stack.regpass.image("python:3.12"));
    output(isolated("skopeo", stack.home()).args(["copy", "--all", "--src-tls-verify=false", &source, &files])).await;

    let pull = stack.regpass.image_record(&format!("{SECOND_REGISTRY}/toddysm/python:3.12")).await;
    let complete = json!({ "direction": "pull", "outcome": "ok", "digest": stack.image.digest, "token_fetches": 1 });
    assert_fields(&pull, &complete);
    assert_fields(&pull, &json!({ "manifests": 2, "blobs": 2 }));
    assert!(pull["bytes"].as_u64() > Some(0) && pull["ms"].is_u64(), "{pull:#}");

    let push = stack.regpass.image_record(&format!("{SECOND_REGISTRY}/team/app:1")).await;
    assert_fields(&push, &json!({ "direction": "push", "outcome": "ok", "manifests": 1, "blobs": 2 }));

    let copy = stack.regpass.image_record("docker.io/library/python:3.12").await;
    let platforms = stack.image.platforms.len();
    assert_fields(&copy, &complete);
    assert_fields(&copy, &json!({ "manifests": 1 + platforms, "blobs": 2 * platforms }));

    let log = stack.finish();
    let images = log.iter().filter(|line| line.contains("\"message\":\"image\""));
    assert_eq!(images.count(), 3, "{log:#?}");
}

#[track_caller]
fn assert_fields(record: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&record[name], value, "{name} of {record:#}");
    }
}
