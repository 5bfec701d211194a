//! The endpoints without a repository: `/`, `/v2/` and the catalog.

use http::Method;

use super::{COLD, MANIFEST};
use crate::harness::request;
use crate::proxied_registry::{
    ProxiedRegistry, assert_no_upstream_headers, assert_ping, assert_rejected, assert_root, with_host,
};

#[tokio::test(start_paused = true)]
async fn root_is_answered_without_an_upstream_request() {
    assert_root(&ProxiedRegistry::docker_hub("").await, "docker.io").await;
}

#[tokio::test(start_paused = true)]
async fn v2_is_answered_without_an_upstream_request() {
    assert_ping(&ProxiedRegistry::docker_hub("").await, "docker.io").await;
}

#[tokio::test(start_paused = true)]
async fn ping_fetches_no_token() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    proxied.get("/v2/").await;
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.expect(&COLD);
}

#[tokio::test(start_paused = true)]
async fn catalog_is_405_without_an_upstream_request() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    for target in ["/v2/_catalog", "/v2/_catalog?n=10", "/v2/docker.io/_catalog", "/v2/_catalog?ns=docker.io"] {
        assert_rejected(&proxied.get(target).await, "405 UNSUPPORTED", &["docker.io", "hub.docker.com/v2/namespaces"]);
        let head = proxied.head(target).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (405, 0));
        assert_no_upstream_headers(&head);
    }
    let request = with_host("docker.io.localhost:5050", request(Method::GET, "/v2/_catalog"));
    assert_rejected(&proxied.send(request).await, "405 UNSUPPORTED", &["docker.io"]);
    proxied.expect(&[]);
}
