//! The catalog: it needs a credential, and its links are rewritten.

use http::Method;
use serde_json::Value;

use super::{CREDENTIAL, MANIFEST};
use crate::harness::{Reply, request};
use crate::proxied_registry::{ProxiedRegistry, assert_no_upstream_headers, assert_rejected, with_host};
use crate::sim::{Image, ImageFormat};

const CATALOG: &str = "/v2/ghcr.io/_catalog";

#[tokio::test(start_paused = true)]
async fn catalog_without_a_credential_is_403_without_an_upstream_request() {
    let proxied = ProxiedRegistry::ghcr("").await;
    for target in [CATALOG, "/v2/_catalog?ns=ghcr.io", "/v2/ghcr.io/_catalog?n=5"] {
        assert_rejected(
            &proxied.get(target).await,
            "403 DENIED",
            &["ghcr.io", r#"add `credential` to [registry."ghcr.io"]"#],
        );
        let head = proxied.head(target).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
        assert_no_upstream_headers(&head);
    }
    proxied.expect(&[]);
    // The denial is the same once a repository's token is cached.
    proxied.warm(MANIFEST).await;
    assert_rejected(&proxied.get(CATALOG).await, "403 DENIED", &["needs a credential"]);
    proxied.expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn catalog_with_a_credential_is_200() {
    let proxied = ProxiedRegistry::ghcr(CREDENTIAL).await;
    let reply = proxied.get(CATALOG).await;
    assert_eq!(names(&reply), ["toddysm/private", "toddysm/python"]);
    assert_eq!(reply.header("link"), None);
    proxied.expect(&[
        "registry GET /v2/_catalog anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:user/image:pull basic:toddysm 200",
        "registry GET /v2/_catalog bearer#1 200",
    ]);
    let head = proxied.head(CATALOG).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-type"), head.body.len()),
        (200, Some("application/json"), 0)
    );
    proxied.expect(&["registry HEAD /v2/_catalog bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn catalog_with_a_rejected_credential_is_403_without_an_anonymous_attempt() {
    let proxied = ProxiedRegistry::ghcr(&CREDENTIAL.replace("ghp_toddysm", "ghp_revoked")).await;
    let reply = proxied.get(CATALOG).await;
    assert_rejected(&reply, "403 DENIED", &["ghcr.io", "refused a token with password in the configuration"]);
    proxied.expect(&[
        "registry GET /v2/_catalog anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:user/image:pull basic:toddysm 403",
    ]);
    // Pulls continue anonymously, the catalog does not.
    proxied.warm(MANIFEST).await;
    assert_rejected(&proxied.get(CATALOG).await, "403 DENIED", &[]);
    let placeholders = proxied
        .sim
        .ledger()
        .take()
        .iter()
        .filter(|entry| entry.to_string().contains("user/image:pull anonymous"))
        .count();
    assert_eq!(placeholders, 0);
}

/// The registry links to `/v2/_catalog?last=…&n=0` even if the request has no `n`.
#[tokio::test(start_paused = true)]
async fn links_lose_n_0_and_every_page_is_reached_through_regpass() {
    let proxied = ProxiedRegistry::ghcr(CREDENTIAL).await;
    let image = Image::single("small", ImageFormat::Oci);
    for number in 0..120 {
        proxied.registry.publish(&format!("0b2ce/core{number:03}"), "1", &image);
    }
    proxied.warm(MANIFEST).await;
    let vhost = "ghcr.io.localhost:5050";
    for (host, target, next) in [
        ("localhost:5050", CATALOG, "</v2/ghcr.io/_catalog?last=0b2ce%2Fcore099>; rel=\"next\""),
        ("localhost:5050", "/v2/_catalog?ns=ghcr.io", "</v2/_catalog?last=0b2ce%2Fcore099&ns=ghcr.io>; rel=\"next\""),
        (vhost, "/v2/_catalog", "</v2/_catalog?last=0b2ce%2Fcore099>; rel=\"next\""),
    ] {
        let first = proxied.send(with_host(host, request(Method::GET, target))).await;
        assert_eq!((first.header("link"), names(&first).len()), (Some(next), 100), "{host} {target}");
        let head = proxied.send(with_host(host, request(Method::HEAD, target))).await;
        assert_eq!(head.header("link"), Some(next), "{host} {target}");
        let follow = next.trim_start_matches('<').split('>').next().unwrap();
        let last = proxied.send(with_host(host, request(Method::GET, follow))).await;
        assert_eq!((last.header("link"), names(&last).len()), (None, 22), "{host} {target}");
    }
    let lines = proxied.sim.ledger().lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("registry ")).count(), 9, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("n=0") && !line.contains("ns=")), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn links_keep_the_n_of_the_client() {
    let proxied = ProxiedRegistry::ghcr(CREDENTIAL).await;
    let reply = proxied.get("/v2/ghcr.io/_catalog?n=1").await;
    assert_eq!(reply.header("link"), Some("</v2/ghcr.io/_catalog?last=toddysm%2Fprivate&n=1>; rel=\"next\""));
}

#[tokio::test(start_paused = true)]
async fn catalog_lists_only_repositories_that_may_be_pulled() {
    let proxied = ProxiedRegistry::ghcr(&format!("{CREDENTIAL}\nrepositories = [\"toddysm/python\"]")).await;
    assert_eq!(names(&proxied.get(CATALOG).await), ["toddysm/python"]);
}

fn names(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let json = reply.json();
    json["repositories"].as_array().unwrap().iter().map(Value::as_str).map(|name| name.unwrap().to_owned()).collect()
}
