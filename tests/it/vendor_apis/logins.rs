//! The login at Docker Hub's API: one for all requests until the token expires.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use tokio::time::advance;

use super::namespaces::{CREDENTIAL, PASSWORD, Setup, names};
use crate::harness::request;
use crate::proxied_registry::assert_rejected;
use crate::sim::{Fault, Reply as Answer};

/// The number of logins since the ledger was emptied; empties it.
fn logins(setup: &Setup) -> usize {
    setup.sim.ledger().take().iter().filter(|entry| entry.method == Method::POST).count()
}

#[tokio::test(start_paused = true)]
async fn concurrent_cold_requests_share_one_login() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    let replies = join_all((0..10).map(|_| setup.regpass.get("/v2/_catalog"))).await;
    assert!(replies.iter().all(|reply| names(reply) == ["alice/app", "alice/tool"]));
    assert_eq!((logins(&setup), logins(&setup)), (1, 0));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_say_when_it_ends_is_used_for_a_minute() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.api.hide_lifetime();
    for _ in 0..4 {
        setup.names("/v2/_catalog").await;
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(logins(&setup), 1);
    advance(Duration::from_secs(61)).await;
    setup.names("/v2/_catalog").await;
    assert_eq!(logins(&setup), 1);
    setup.sim.finish();
}

/// Vendors lock an account after too many attempts.
#[tokio::test(start_paused = true)]
async fn a_rejected_login_is_remembered_for_seconds() {
    let setup = Setup::start(&[&CREDENTIAL.replace(PASSWORD, "dckr_pat_revoked000")]).await;
    for _ in 0..2 {
        for _ in 0..3 {
            let reply = setup.regpass.get("/v2/_catalog").await;
            assert_rejected(&reply, "403 DENIED", &["rejected the credential", "Incorrect"]);
        }
        assert_eq!(logins(&setup), 1);
        advance(Duration::from_secs(6)).await;
    }
    // An outage is not remembered.
    for _ in 0..2 {
        setup.api.server().inject(Fault::answer(Answer::new(500).text("oops")).times(1));
        assert_rejected(&setup.regpass.get("/v2/_catalog").await, "502 UNAVAILABLE", &["500"]);
        assert_eq!(logins(&setup), 1);
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_rejected_login_is_a_403_that_names_what_it_has_to_be() {
    let wrong = CREDENTIAL.replace(PASSWORD, "dckr_pat_revoked000");
    let setup = Setup::start(&[&wrong]).await;
    let reply = setup.regpass.get("/v2/_catalog").await;
    assert_rejected(&reply, "403 DENIED", &["rejected the credential", "a personal access token", "Incorrect"]);
    assert!(!String::from_utf8_lossy(&reply.body).contains("dckr_pat_revoked000"));
    setup.expect(&["api POST /v2/auth/token anonymous 401"]);
    // Pulls are another matter.
    assert_eq!(setup.regpass.get("/v2/library/python/manifests/1").await.status, 200);
    setup.sim.finish();
}

/// The password stays the same: one new login, once.
#[tokio::test(start_paused = true)]
async fn a_token_that_ends_early_is_replaced_within_the_request() {
    let setup = Setup::start(&[CREDENTIAL]).await;
    setup.names("/v2/_catalog").await;
    setup.api.revoke_tokens();
    setup.sim.ledger().take();
    assert_eq!(setup.names("/v2/_catalog").await, ["alice/app", "alice/tool"]);
    let statuses: Vec<String> =
        setup.sim.ledger().take().iter().map(|entry| entry.status.unwrap().as_u16().to_string()).collect();
    assert_eq!(statuses.join(" "), "401 200 403 200");
    // If the API rejects new tokens too, that is the answer.
    let unauthorized = Answer::new(401).json(r#"{"message":"unauthorized"}"#);
    setup.api.server().inject(Fault::answer(unauthorized).method(Method::GET));
    let reply = setup.regpass.send(request(Method::GET, "/v2/_catalog")).await;
    assert_rejected(&reply, "403 DENIED", &["rejected"]);
    assert!(setup.sim.ledger().take().len() <= 3);
    setup.sim.finish();
}
