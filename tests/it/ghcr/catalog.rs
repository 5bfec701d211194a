//! The catalog: for logins only, with links that lead on.

use http::Method;
use serde_json::Value;

use super::{LOGIN, MANIFEST};
use crate::harness::{Reply, request};
use crate::sim::{Family, Image};
use crate::stage::{Stage, assert_clean, assert_refused, at};

const CATALOG: &str = "/v2/ghcr.io/_catalog";

#[tokio::test(start_paused = true)]
async fn the_catalog_without_a_login_is_a_403_without_any_upstream_call() {
    let stage = Stage::ghcr("").await;
    for target in [CATALOG, "/v2/_catalog?ns=ghcr.io", "/v2/ghcr.io/_catalog?n=5"] {
        assert_refused(
            &stage.get(target).await,
            "403 DENIED",
            &["ghcr.io", "login", r#"'credential' of [registry."ghcr.io"]"#],
        );
        let head = stage.head(target).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (403, 0));
        assert_clean(&head);
    }
    stage.expect(&[]);
    // Nor with a token of some repository at hand.
    stage.warm(MANIFEST).await;
    assert_refused(&stage.get(CATALOG).await, "403 DENIED", &["login"]);
    stage.expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn the_catalog_comes_with_a_login() {
    let stage = Stage::ghcr(LOGIN).await;
    let reply = stage.get(CATALOG).await;
    assert_eq!(names(&reply), ["toddysm/private", "toddysm/python"]);
    assert_eq!(reply.header("link"), None);
    stage.expect(&[
        "registry GET /v2/_catalog anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:user/image:pull basic:toddysm 200",
        "registry GET /v2/_catalog bearer#1 200",
    ]);
    let head = stage.head(CATALOG).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-type"), head.body.len()),
        (200, Some("application/json"), 0)
    );
    stage.expect(&["registry HEAD /v2/_catalog bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_opens_no_catalog_and_is_not_replaced_by_none() {
    let stage = Stage::ghcr(&LOGIN.replace("ghp_toddysm", "ghp_revoked")).await;
    let reply = stage.get(CATALOG).await;
    assert_refused(&reply, "403 DENIED", &["ghcr.io", "refused password in the configuration"]);
    stage.expect(&[
        "registry GET /v2/_catalog anonymous 401",
        "token GET /token?service=ghcr.test&scope=repository:user/image:pull basic:toddysm 403",
    ]);
    // Pulls fall back to nobody; the catalog does not follow them.
    stage.warm(MANIFEST).await;
    assert_refused(&stage.get(CATALOG).await, "403 DENIED", &[]);
    let placeholders = stage
        .sim
        .ledger()
        .take()
        .iter()
        .filter(|entry| entry.to_string().contains("user/image:pull anonymous"))
        .count();
    assert_eq!(placeholders, 0);
}

/// The registry links to `/v2/_catalog?last=…&n=0`, whose `n` nobody gave.
#[tokio::test(start_paused = true)]
async fn links_lose_their_n_of_0_and_lead_through_regpass_page_by_page() {
    let stage = Stage::ghcr(LOGIN).await;
    let image = Image::single("small", Family::Oci);
    for number in 0..120 {
        stage.registry.publish(&format!("0b2ce/core{number:03}"), "1", &image);
    }
    stage.warm(MANIFEST).await;
    let vhost = "ghcr.io.localhost:5050";
    for (host, target, next) in [
        ("localhost:5050", CATALOG, "</v2/ghcr.io/_catalog?last=0b2ce%2Fcore099>; rel=\"next\""),
        ("localhost:5050", "/v2/_catalog?ns=ghcr.io", "</v2/_catalog?last=0b2ce%2Fcore099&ns=ghcr.io>; rel=\"next\""),
        (vhost, "/v2/_catalog", "</v2/_catalog?last=0b2ce%2Fcore099>; rel=\"next\""),
    ] {
        let first = stage.send(at(host, request(Method::GET, target))).await;
        assert_eq!((first.header("link"), names(&first).len()), (Some(next), 100), "{host} {target}");
        let head = stage.send(at(host, request(Method::HEAD, target))).await;
        assert_eq!(head.header("link"), Some(next), "{host} {target}");
        let follow = next.trim_start_matches('<').split('>').next().unwrap();
        let last = stage.send(at(host, request(Method::GET, follow))).await;
        assert_eq!((last.header("link"), names(&last).len()), (None, 22), "{host} {target}");
    }
    let lines = stage.sim.ledger().lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("registry ")).count(), 9, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("n=0") && !line.contains("ns=")), "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn links_keep_the_n_the_client_gave() {
    let stage = Stage::ghcr(LOGIN).await;
    let reply = stage.get("/v2/ghcr.io/_catalog?n=1").await;
    assert_eq!(reply.header("link"), Some("</v2/ghcr.io/_catalog?last=toddysm%2Fprivate&n=1>; rel=\"next\""));
}

#[tokio::test(start_paused = true)]
async fn the_catalog_shows_only_what_the_configuration_lets_be_pulled() {
    let stage = Stage::ghcr(&format!("{LOGIN}\nrepositories = [\"toddysm/python\"]")).await;
    assert_eq!(names(&stage.get(CATALOG).await), ["toddysm/python"]);
}

fn names(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let json = reply.json();
    json["repositories"].as_array().unwrap().iter().map(Value::as_str).map(|name| name.unwrap().to_owned()).collect()
}
