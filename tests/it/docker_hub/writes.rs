//! Pushes and deletes: which are denied, and which requests the others cost.

use http::Method;

use super::{CREDENTIAL, MANIFEST, PRIVATE, WARM, start_warm};
use crate::harness::request;
use crate::proxied_registry::{ProxiedRegistry, assert_rejected};
use crate::seed_registries::{
    PUSH_REQUESTS, assert_image_is_pushed, assert_manifest_is_pushed, assert_writes_need_allow, push_requests,
};
use crate::sim::{Image, ImageFormat};

#[tokio::test(start_paused = true)]
async fn writes_are_denied_until_the_configuration_allows_them() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    let blob = format!("blobs/{}", proxied.layer());
    let deletes = [(Method::DELETE, "manifests/3.10"), (Method::DELETE, &*blob)];
    assert_writes_need_allow(&proxied, "docker.io", "push", &PUSH_REQUESTS).await;
    assert_writes_need_allow(&proxied, "docker.io", "delete", &deletes).await;
}

/// The token reply is a 200; only the token's `access` claim shows that `push` was left out.
#[tokio::test(start_paused = true)]
async fn manifest_push_is_denied_when_the_token_grants_only_pull() {
    let proxied = start_warm(r#"allow = ["pull", "push"]"#).await;
    let parts = ["granted repository:library/python:pull instead of repository:library/python:pull,push", "docker.io"];
    assert_rejected(&proxied.put_manifest("/v2/library/python/manifests/new").await, "403 DENIED", &parts);
    proxied.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:library/python:pull,push anonymous 200",
    ]);
    assert_rejected(&proxied.put_manifest("/v2/library/python/manifests/new").await, "403 DENIED", &parts);
    proxied.expect(&[]);
    proxied.get(MANIFEST).await;
    proxied.expect(&[WARM]);
}

/// With a token for `pull` only, the registry would reply 401 to each write, which a client would take for a request to log
/// in. So regpass does not send it.
#[tokio::test(start_paused = true)]
async fn every_write_is_denied_unsent_when_the_token_grants_only_pull() {
    for (credential, authorization) in [("", "anonymous"), (CREDENTIAL, "basic:alice")] {
        let proxied = start_warm(&format!("{credential}\nallow = [\"pull\", \"push\", \"delete\"]")).await;
        let blob = format!("blobs/{}", proxied.layer());
        let (pushes, deletes) = ("pull,push", "delete");
        for (method, path, actions, is_first) in [
            (Method::POST, "blobs/uploads/", pushes, true),
            (Method::PUT, "manifests/3.10", pushes, false),
            (Method::DELETE, "manifests/3.10", deletes, true),
            (Method::DELETE, &blob, deletes, false),
        ] {
            let target = format!("/v2/library/python/{path}");
            let reply = proxied.send(request(method.clone(), &target).map(|_| "a body".into())).await;
            let missing = format!("instead of repository:library/python:{actions} ");
            assert_rejected(&reply, "403 DENIED", &["docker.io", &missing]);
            let token = format!(
                "token GET /token?service=registry.docker.io&scope=repository:library/python:{actions} {authorization} 200"
            );
            let lines = [token.as_str()];
            proxied.expect(if is_first { &lines } else { &[] });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn image_pushed_with_a_credential_is_stored() {
    let proxied = ProxiedRegistry::docker_hub(&format!("{CREDENTIAL}\nallow = [\"pull\", \"push\"]")).await;
    proxied.warm(PRIVATE).await;
    let image = Image::single("pushed", ImageFormat::Oci);
    let session = |number| format!("/v2/alice/new/blobs/uploads/upload-{number}?_state=…");
    let token = "token GET /token?service=registry.docker.io&scope=repository:alice/new:pull,push basic:alice 200";
    let mut requests = push_requests("alice/new", &image, "bearer#2", session);
    requests.insert(0, token.to_owned());
    assert_image_is_pushed(&proxied, "/v2", "alice/new", &image, &requests).await;
}

#[tokio::test(start_paused = true)]
async fn allowed_delete_with_a_credential_is_202() {
    let proxied = ProxiedRegistry::docker_hub(&format!("{CREDENTIAL}\nallow = [\"pull\", \"delete\"]")).await;
    proxied.warm(PRIVATE).await;
    let reply = proxied.method(&Method::DELETE, PRIVATE).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0));
    proxied.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:delete basic:alice 200",
        "registry DELETE /v2/alice/app/manifests/1 bearer#2 202",
    ]);
    assert_eq!(proxied.get(PRIVATE).await.status_and_code(), "404 MANIFEST_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn anonymous_delete_is_denied_before_it_is_sent() {
    let proxied = start_warm(r#"allow = ["pull", "delete"]"#).await;
    let reply = proxied.method(&Method::DELETE, MANIFEST).await;
    assert_rejected(&reply, "403 DENIED", &["instead of repository:library/python:delete "]);
    proxied
        .expect(&["token GET /token?service=registry.docker.io&scope=repository:library/python:delete anonymous 200"]);
}

#[tokio::test(start_paused = true)]
async fn pushed_manifest_is_201_with_a_location_at_regpass() {
    let proxied = ProxiedRegistry::docker_hub(&format!("{CREDENTIAL}\nallow = [\"pull\", \"push\"]")).await;
    proxied.warm(PRIVATE).await;
    assert_manifest_is_pushed(&proxied, "/v2/alice/app/manifests", "2").await;
    proxied.expect(&[
        "token GET /token?service=registry.docker.io&scope=repository:alice/app:pull,push basic:alice 200",
        "registry PUT /v2/alice/app/manifests/2 bearer#2 201",
    ]);
}
