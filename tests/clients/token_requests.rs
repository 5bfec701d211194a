//! The token requests that regpass sends while real clients pull.

use std::collections::HashSet;
use std::time::Duration;

use hyper::Method;

use crate::curl::{curl, fetch};
use crate::process::stdout;
use crate::registry::Registry;
use crate::stack::{LONG_LIFETIME, Stack};

const SCOPE: &str = "repository:library/python:pull";

#[tokio::test]
async fn fifty_parallel_first_requests_share_one_token() {
    let stack = Stack::start(Registry::start_token(LONG_LIFETIME).await).await;
    let url = stack.regpass.url("/v2/python/manifests/3.12#[1-50]");
    let mut curl = curl(stack.home());
    curl.args(["--parallel", "--parallel-immediate", "--parallel-max", "50", "--output", "/dev/null"]);
    let statuses = stdout(curl.args(["--write-out", "%{http_code}\n", &url])).await;
    assert_eq!(statuses, "200\n".repeat(50));
    assert_eq!(stack.token_requests().len(), 1, "{:?}", stack.token_requests());
    stack.finish();
}

#[tokio::test]
async fn refresh_token_is_sent_by_post() {
    let stack = Stack::start_with_refresh_token(Registry::start_token(LONG_LIFETIME).await).await;
    let reply = fetch(curl(stack.home()).arg(stack.regpass.url("/v2/python/manifests/3.12"))).await;
    assert_eq!(reply.header("docker-content-digest"), Some(&*stack.image.digest));
    let requests = stack.token_requests();
    let [request] = &requests[..] else { panic!("not one token request: {requests:?}") };
    assert_eq!((&request.method, &request.scopes[..]), (&Method::POST, &[SCOPE.to_owned()][..]));
    stack.finish();
}

/// Requests continue over several token lifetimes. Each token is fetched once, before the previous one expires.
#[tokio::test]
async fn tokens_are_renewed_before_they_expire_under_steady_use() {
    const LIFETIME: Duration = Duration::from_secs(2);
    let stack = Stack::start(Registry::start_token(LIFETIME).await).await;
    let requests = async {
        while stack.token_requests().len() < 4 {
            let reply =
                fetch(curl(stack.home()).arg("--head").arg(stack.regpass.url("/v2/python/manifests/3.12"))).await;
            assert_eq!(reply.status, 200);
        }
    };
    tokio::time::timeout(10 * LIFETIME, requests).await.expect("a token for each lifetime");
    let requests = stack.token_requests();
    assert!(requests.iter().all(|request| request.scopes == [SCOPE]), "{requests:?}");
    let tokens: HashSet<_> = requests.iter().map(|request| &request.token).collect();
    assert_eq!(tokens.len(), requests.len(), "the same token twice");
    stack.finish();
}
