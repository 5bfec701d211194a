//! What regpass asks of the token service while real clients ask of it.

use std::collections::HashSet;
use std::time::Duration;

use hyper::Method;

use crate::curl::{curl, fetch};
use crate::process::stdout;
use crate::registry::Registry;
use crate::scene::{LONG, Login, Scene};

const SCOPE: &str = "repository:library/python:pull";

#[tokio::test]
async fn many_cold_requests_share_one_token() {
    let scene = Scene::set(Registry::start_token(LONG).await, Login::Password).await;
    let url = scene.regpass.url("/v2/python/manifests/3.12#[1-50]");
    let mut curl = curl(&scene);
    curl.args(["--parallel", "--parallel-immediate", "--parallel-max", "50", "--output", "/dev/null"]);
    let statuses = stdout(curl.args(["--write-out", "%{http_code}\n", &url])).await;
    assert_eq!(statuses, "200\n".repeat(50));
    assert_eq!(scene.asked().len(), 1, "{:?}", scene.asked());
    scene.close();
}

#[tokio::test]
async fn a_refresh_token_is_posted() {
    let scene = Scene::set(Registry::start_token(LONG).await, Login::RefreshToken).await;
    let reply = fetch(curl(&scene).arg(scene.regpass.url("/v2/python/manifests/3.12"))).await;
    assert_eq!(reply.header("docker-content-digest"), Some(&*scene.image.digest));
    let asked = scene.asked();
    let [asked] = &asked[..] else { panic!("one token request, not {asked:?}") };
    assert_eq!((&asked.method, &asked.scopes[..]), (&Method::POST, &[SCOPE.to_owned()][..]));
    scene.close();
}

/// Steady use over several lives of a token: each is fetched once, ahead of the end of the last, and no client notices.
#[tokio::test]
async fn short_tokens_are_renewed_under_steady_use() {
    const LIFE: Duration = Duration::from_secs(2);
    let scene = Scene::set(Registry::start_token(LIFE).await, Login::Password).await;
    let steady = async {
        while scene.asked().len() < 4 {
            let reply = fetch(curl(&scene).arg("--head").arg(scene.regpass.url("/v2/python/manifests/3.12"))).await;
            assert_eq!(reply.status, 200);
        }
    };
    tokio::time::timeout(10 * LIFE, steady).await.expect("a token for each life");
    let asked = scene.asked();
    assert!(asked.iter().all(|asked| asked.scopes == [SCOPE]), "{asked:?}");
    let tokens: HashSet<_> = asked.iter().map(|asked| &asked.token).collect();
    assert_eq!(tokens.len(), asked.len(), "the same token twice");
    scene.close();
}
