//! What writes: who may, what it costs, and what is refused before anything is sent.

use http::Method;

use super::{LOGIN, MANIFEST, PRIVATE, WARM};
use crate::harness::request;
use crate::sim::{Family, Image};
use crate::stage::{Stage, assert_refused};

#[tokio::test(start_paused = true)]
async fn writes_are_refused_by_name_of_the_setting_until_they_are_allowed() {
    let stage = Stage::docker_hub("").await;
    let digest = stage.layer();
    let setting = r#"to 'allow' of [registry."docker.io"]"#;
    for (method, path, word) in [
        (Method::PUT, "manifests/3.10".to_owned(), "push"),
        (Method::POST, "blobs/uploads/".to_owned(), "push"),
        (Method::PATCH, "blobs/uploads/1".to_owned(), "push"),
        (Method::PUT, "blobs/uploads/1".to_owned(), "push"),
        (Method::DELETE, "blobs/uploads/1".to_owned(), "push"),
        (Method::DELETE, "manifests/3.10".to_owned(), "delete"),
        (Method::DELETE, format!("blobs/{digest}"), "delete"),
    ] {
        let reply = stage.method(&method, &format!("/v2/library/python/{path}")).await;
        assert_refused(&reply, "403 DENIED", &[&format!("add \"{word}\" {setting}")]);
    }
    stage.expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_push_that_was_silently_reduced_to_pull_is_refused_before_it_is_sent() {
    let stage = Stage::docker_hub(r#"allow = ["pull", "push"]"#).await;
    stage.warm(MANIFEST).await;
    let told =
        ["granted repository:library/python:pull where repository:library/python:pull,push was asked", "docker.io"];
    assert_refused(&stage.put_manifest("/v2/library/python/manifests/new").await, "403 DENIED", &told);
    stage.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:library/python:pull,push anonymous 200",
    ]);
    assert_refused(&stage.put_manifest("/v2/library/python/manifests/new").await, "403 DENIED", &told);
    stage.expect(&[]);
    stage.get(MANIFEST).await;
    stage.expect(&[WARM]);
}

/// Its own answer to all of these, with a token for `pull`, is a 401: to a client that would mean "log in".
#[tokio::test(start_paused = true)]
async fn whoever_may_only_pull_is_refused_before_anything_is_sent() {
    for (login, who) in [("", "anonymous"), (LOGIN, "basic:alice")] {
        let stage = Stage::docker_hub(&format!("{login}\nallow = [\"pull\", \"push\", \"delete\"]")).await;
        stage.warm(MANIFEST).await;
        let blob = format!("blobs/{}", stage.layer());
        let (pushes, deletes) = ("pull,push", "delete");
        for (method, path, asked, is_first) in [
            (Method::POST, "blobs/uploads/", pushes, true),
            (Method::PUT, "manifests/3.10", pushes, false),
            (Method::DELETE, "manifests/3.10", deletes, true),
            (Method::DELETE, &blob, deletes, false),
        ] {
            let target = format!("/v2/library/python/{path}");
            let reply = stage.send(request(method.clone(), &target).map(|_| "a body".into())).await;
            let words = format!("where repository:library/python:{asked} was asked");
            assert_refused(&reply, "403 DENIED", &["docker.io", &words]);
            let token = format!(
                "token GET /token?service=registry.docker.io&scope=repository:library/python:{asked} {who} 200"
            );
            let lines = [token.as_str()];
            stage.expect(if is_first { &lines } else { &[] });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_pushed_with_a_login_is_there() {
    let stage = Stage::docker_hub(&format!("{LOGIN}\nallow = [\"pull\", \"push\"]")).await;
    stage.warm(PRIVATE).await;
    let image = Image::single("pushed", Family::Oci);
    stage.push("/v2/alice/new", "1", &image).await;
    stage.assert_has("alice/new", "1", &image);
    let uploads = "/v2/alice/new/blobs/uploads/";
    let mut lines = vec![
        "token GET /token?service=registry.docker.io&scope=repository:alice/new:pull,push basic:alice 200".to_owned(),
    ];
    for (at, blob) in image.blobs.iter().enumerate() {
        let session = format!("{uploads}upload-{}?_state=…", at + 1);
        lines.extend([
            format!("registry POST {uploads} bearer#2 202"),
            format!("registry PATCH {session} bearer#2 202"),
            format!("registry PUT {session}&digest={} bearer#2 201", blob.digest),
        ]);
    }
    lines.push("registry PUT /v2/alice/new/manifests/1 bearer#2 201".to_owned());
    stage.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(stage.get("/v2/alice/new/manifests/1").await.body, image.top().bytes);
}

#[tokio::test(start_paused = true)]
async fn a_delete_with_a_login_is_a_202_once_it_is_allowed() {
    let stage = Stage::docker_hub(&format!("{LOGIN}\nallow = [\"pull\", \"delete\"]")).await;
    stage.warm(PRIVATE).await;
    let reply = stage.method(&Method::DELETE, PRIVATE).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0));
    stage.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:delete basic:alice 200",
        "registry DELETE /v2/alice/app/manifests/1 bearer#2 202",
    ]);
    assert_eq!(stage.get(PRIVATE).await.verdict(), "404 MANIFEST_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_delete_is_refused_before_it_is_sent() {
    let stage = Stage::docker_hub(r#"allow = ["pull", "delete"]"#).await;
    stage.warm(MANIFEST).await;
    let reply = stage.method(&Method::DELETE, MANIFEST).await;
    assert_refused(&reply, "403 DENIED", &["where repository:library/python:delete was asked"]);
    stage.expect(&["token GET /token?service=registry.docker.io&scope=repository:library/python:delete anonymous 200"]);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_pushed_with_a_login_is_a_201_whose_location_is_regpasss_own() {
    let stage = Stage::docker_hub(&format!("{LOGIN}\nallow = [\"pull\", \"push\"]")).await;
    stage.warm(PRIVATE).await;
    let reply = stage.put_manifest("/v2/alice/app/manifests/2").await;
    let digest = stage.image.digest();
    assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (201, Some(digest)), "{reply:?}");
    assert_eq!(reply.header("location"), Some(&*format!("/v2/alice/app/manifests/{digest}")));
    stage.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:pull,push basic:alice 200",
        "registry PUT /v2/alice/app/manifests/2 bearer#2 201",
    ]);
}
