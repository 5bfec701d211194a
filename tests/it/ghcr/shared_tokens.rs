//! Anonymous tokens: GHCR does not bind them to a repository, so one serves all public ones. What is refused with it gets a
//! token of its own before the refusal is believed.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::advance;

use super::{COLD, CREDENTIAL, MANIFEST, PRIVATE, WARM, start_warm};
use crate::proxied_registry::{ProxiedRegistry, assert_rejected};
use crate::sim::{Fault, TokenFormat};

const OTHER: &str = "/v2/ghcr.io/acme/tool/manifests/1";

/// GHCR with a second public repository, `acme/tool`.
async fn start(more: &str) -> ProxiedRegistry {
    let proxied = ProxiedRegistry::ghcr(more).await;
    proxied.registry.publish("acme/tool", "1", &proxied.image);
    proxied
}

/// As [`start`], after a pull of [`MANIFEST`].
async fn start_with_token(more: &str) -> ProxiedRegistry {
    let proxied = start(more).await;
    proxied.warm(MANIFEST).await;
    proxied
}

fn served(token: usize) -> String {
    format!("registry GET /v2/acme/tool/manifests/1 bearer#{token} 200")
}

fn token_for(name: &str, status: u16) -> String {
    format!("token GET /token?service=ghcr.test&scope=repository:{name}:pull anonymous {status}")
}

#[tokio::test(start_paused = true)]
async fn anonymous_token_serves_other_public_repositories() {
    let proxied = start_with_token("").await;
    for _ in 0..2 {
        let reply = proxied.get(OTHER).await;
        assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "cached"));
        proxied.expect(&[&served(1)]);
    }
    proxied.get(MANIFEST).await;
    proxied.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_first_pulls_of_many_repositories_share_one_token() {
    let proxied = start("").await;
    let names: Vec<String> = (0..30).map(|number| format!("acme/app{number}")).collect();
    for name in &names {
        proxied.registry.publish(name, "1", &proxied.image);
    }
    proxied.registry.token_service().inject(Fault::delay(Duration::from_millis(100)).path("/token"));
    let targets: Vec<String> = names.iter().map(|name| format!("/v2/ghcr.io/{name}/manifests/1")).collect();
    let replies = join_all(targets.iter().map(|target| proxied.get(target))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let ledger = proxied.sim.ledger();
    assert_eq!((ledger.count("token", |_| true), ledger.lines().len()), (1, 32), "{:?}", ledger.lines());
    // A day of polling costs one token a renewal, not one for each repository.
    ledger.take();
    for _ in 0..10 {
        advance(Duration::from_secs(30)).await;
        join_all(targets.iter().map(|target| proxied.get(target))).await;
    }
    let tokens = ledger.count("token", |_| true);
    assert!((4..=10).contains(&tokens), "{tokens} tokens in five minutes");
}

#[tokio::test(start_paused = true)]
async fn private_package_gets_its_own_token_before_its_refusal_is_believed() {
    let proxied = start_with_token("").await;
    let refused = proxied.get(PRIVATE).await;
    assert_rejected(
        &refused,
        "403 DENIED",
        &["refused a token with no credential", "requested access to the resource is denied"],
    );
    proxied.expect(&["registry GET /v2/toddysm/private/manifests/1 bearer#1 403", &token_for("toddysm/private", 403)]);
    // The denial is cached for seconds; then only the token service is asked.
    assert_rejected(&proxied.get(PRIVATE).await, "403 DENIED", &[]);
    proxied.expect(&[]);
    advance(Duration::from_secs(6)).await;
    assert_rejected(&proxied.get(PRIVATE).await, "403 DENIED", &[]);
    proxied.expect(&[&token_for("toddysm/private", 403)]);
    // Others still share the token.
    assert_eq!(proxied.get(OTHER).await.status, 200);
    proxied.expect(&[&served(1)]);
}

#[tokio::test(start_paused = true)]
async fn package_that_refuses_only_the_shared_token_is_served_with_its_own() {
    for status in [401, 403] {
        let proxied = start_with_token("").await;
        proxied.registry.publish("acme/third", "1", &proxied.image);
        assert_eq!(proxied.get("/v2/ghcr.io/acme/third/manifests/1").await.status, 200);
        proxied.sim.ledger().take();
        let refusal = crate::sim::Reply::error(status, "DENIED", "requested access to the resource is denied");
        let challenge =
            r#"Bearer realm="http://ghcr.test/token",service="ghcr.test",scope="repository:acme/tool:pull""#;
        let refusal = if status == 401 { refusal.header("www-authenticate", challenge) } else { refusal };
        proxied.registry.api().inject(Fault::answer(refusal).path("/acme/tool/").times(1));
        let reply = proxied.get(OTHER).await;
        assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "fetched"));
        let first = format!("registry GET /v2/acme/tool/manifests/1 bearer#1 {status}");
        proxied.expect(&[&first, &token_for("acme/tool", 200), &served(2)]);
        // Its own token is used from now on, and renewed.
        for _ in 0..4 {
            advance(Duration::from_secs(40)).await;
            assert_eq!(proxied.get(OTHER).await.status, 200);
        }
        assert_eq!(proxied.sim.ledger().count("registry", |entry| entry.status.unwrap().as_u16() == status), 0);
    }
}

/// If the first shared token is refused and the repository's own works, the registry seems to bind its tokens.
#[tokio::test(start_paused = true)]
async fn registry_that_binds_its_tokens_gets_no_shared_token_for_an_hour() {
    let proxied = start("").await;
    proxied.registry.publish("acme/third", "1", &proxied.image);
    proxied.registry.change_preset(|preset| preset.tokens.format = TokenFormat::Opaque);
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.expect(&COLD);
    assert_eq!(proxied.get(OTHER).await.status, 200);
    proxied.expect(&["registry GET /v2/acme/tool/manifests/1 bearer#1 403", &token_for("acme/tool", 200), &served(2)]);
    assert_eq!(proxied.get("/v2/ghcr.io/acme/third/manifests/1").await.status, 200);
    proxied.expect(&[&token_for("acme/third", 200), "registry GET /v2/acme/third/manifests/1 bearer#3 200"]);
    proxied.get(MANIFEST).await;
    proxied.expect(&[WARM]);
}

#[tokio::test(start_paused = true)]
async fn first_pull_of_a_private_package_does_not_keep_others_from_their_token() {
    let proxied = start("").await;
    proxied.registry.token_service().inject(Fault::delay(Duration::from_millis(100)).path("/token"));
    let targets = [PRIVATE, MANIFEST, OTHER];
    let replies = join_all(targets.map(|target| proxied.get(target))).await;
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses, [403, 200, 200], "{replies:?}");
}

#[tokio::test(start_paused = true)]
async fn token_for_a_credential_is_not_shared() {
    let proxied = start_with_token(CREDENTIAL).await;
    assert_eq!(proxied.get(OTHER).await.status, 200);
    let token = token_for("acme/tool", 200).replace("anonymous", "basic:toddysm");
    proxied.expect(&[&token, &served(1)]);
}

#[tokio::test(start_paused = true)]
async fn anonymous_fallback_of_a_rejected_credential_shares_the_token() {
    let proxied = start(&CREDENTIAL.replace("ghp_toddysm", "ghp_revoked")).await;
    assert_eq!(proxied.get(MANIFEST).await.status, 200);
    proxied.sim.ledger().take();
    let reply = proxied.get(OTHER).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let lines = proxied.sim.ledger().lines();
    assert_eq!(lines.last(), Some(&served(1)), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("anonymous 200")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn missing_tag_with_a_shared_token_is_404_without_a_further_request() {
    let proxied = start_warm("").await;
    proxied.registry.publish("acme/tool", "1", &proxied.image);
    assert_rejected(&proxied.get("/v2/ghcr.io/acme/tool/manifests/none").await, "404 MANIFEST_UNKNOWN", &[]);
    proxied.expect(&["registry GET /v2/acme/tool/manifests/none bearer#1 404"]);
}
