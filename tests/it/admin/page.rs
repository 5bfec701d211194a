//! The status page as the server sends it: complete without a script, and within its own policy.

use super::{APP, Scene, words};
use crate::sim::Fault;

#[tokio::test(start_paused = true)]
async fn it_says_in_its_headline_how_it_goes() {
    let scene = Scene::new("", "").await;
    assert!(scene.page().await.contains(">Ready, and not asked for anything yet</h1>"));
    assert!(words(&scene.page().await).contains("docker pull localhost:5050/python"), "what to do first");
    scene.pull().await;
    assert!(scene.page().await.contains(">All is well</h1>"));
    scene.hub.registry().inject(Fault::html(502));
    assert_eq!(scene.regpass.get(APP).await.status, 502);
    assert!(scene.page().await.contains(">docker.io is failing</h1>"));
    scene.corp.registry().inject(Fault::html(502));
    assert_eq!(scene.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    let page = scene.page().await;
    assert!(page.contains(">2 of 2 registries need attention</h1>"));
    assert!(page.contains("<title>regpass: 2 of 2 registries need attention</title>"), "also in the tab");
}

#[tokio::test(start_paused = true)]
async fn it_shows_requests_with_their_times_and_tokens_without_a_script() {
    let scene = Scene::new("", "").await;
    scene.pull().await;
    let page = scene.page().await;
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
    let words = words(&page);
    for told in
        ["read manifest docker.io/team/app:1", "1 token held", "repository:team/app:pull", "100 of 100 left in 6 h"]
    {
        assert!(words.contains(told), "{told}: {words}");
    }
    assert!(page.contains("aria-label=\"authorization 0.0 ms, registry 0.0 ms, transfer 0.0 ms\""), "{page}");
    scene.pull().await;
    assert_eq!(scene.page().await.matches("data-key=\"request-").count(), 2);
}

/// What the policy forbids would not work, and nobody would see why.
#[tokio::test(start_paused = true)]
async fn it_needs_nothing_that_its_policy_forbids() {
    let scene = Scene::new("", "").await;
    scene.pull().await;
    scene.corp.registry().inject(Fault::html(502));
    assert_eq!(scene.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    let page = scene.page().await;
    assert!(!page.contains(" style=") && !page.contains("<style"), "inline styles");
    assert_eq!(page.matches("<script").count(), 1, "one script, and no text in it");
    assert!(page.contains("<script src=\"status.js\" defer></script>"));
    let is_handler = |word: &&str| word.starts_with("on") && word.contains('=');
    assert_eq!(page.split_whitespace().find(is_handler), None, "inline handlers");
    for link in page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1)) {
        let target = link.split('"').next().unwrap();
        assert!(!target.contains("://") && !target.starts_with("//") || target.starts_with("data:"), "{target}");
    }
}
