//! The status page as the server sends it: it is complete without scripts and obeys its own content security policy.

use regpass::observe::process::OpenListener;

use super::{APP, TwoRegistries, text_of};
use crate::sim::Fault;

#[tokio::test(start_paused = true)]
async fn headline_and_title_name_the_state_of_the_registries() {
    let setup = TwoRegistries::start("", "").await;
    assert!(setup.page().await.contains(">Ready, no requests yet</h1>"));
    assert!(text_of(&setup.page().await).contains("docker pull localhost:5050/python"), "a first command to try");
    setup.pull().await;
    assert!(setup.page().await.contains(">All is well</h1>"));
    setup.hub.api().inject(Fault::html(502));
    assert_eq!(setup.regpass.get(APP).await.status, 502);
    assert!(setup.page().await.contains(">docker.io is failing</h1>"));
    setup.corp.api().inject(Fault::html(502));
    assert_eq!(setup.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    let page = setup.page().await;
    assert!(page.contains(">2 of 2 registries need attention</h1>"));
    assert!(page.contains("<title>regpass: 2 of 2 registries need attention</title>"), "in the title, too");
}

#[tokio::test(start_paused = true)]
async fn first_command_fits_the_address_of_the_listener() {
    let setup = TwoRegistries::start("", "").await;
    for (addresses, command) in [
        (&["unix:/run/r.sock"][..], "curl --unix-socket /run/r.sock http://localhost/v2/python/tags/list"),
        (&["unix:/run/r.sock", "127.0.0.1:5055"], "docker pull localhost:5055/python"),
        (&["[::1]:5056"], "docker pull localhost:5056/python"),
        (&["0.0.0.0:5057"], "docker pull localhost:5057/python"),
        (&["10.0.0.7:5058"], "docker pull 10.0.0.7:5058/python"),
    ] {
        let open = |address: &&str| OpenListener { address: (*address).into(), admin: false, registry: None };
        let admin = OpenListener { address: "127.0.0.1:5051".into(), admin: true, registry: None };
        let listeners = [admin].into_iter().chain(addresses.iter().map(open)).collect();
        setup.regpass.proxy.process.set_listeners(listeners);
        let text = text_of(&setup.page().await);
        assert!(text.contains(command) && !text.contains("localhost:/"), "{addresses:?}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_and_tokens_are_shown_without_scripts() {
    let setup = TwoRegistries::start("", "").await;
    setup.pull().await;
    let page = setup.page().await;
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
    let text = text_of(&page);
    for part in
        ["read manifest docker.io/team/app:1", "1 cached token", "repository:team/app:pull", "100 of 100 left in 6 h"]
    {
        assert!(text.contains(part), "'{part}' is missing in: {text}");
    }
    assert!(page.contains("aria-label=\"authorization 0.0 ms, registry 0.0 ms, transfer 0.0 ms\""), "{page}");
    setup.pull().await;
    assert_eq!(setup.page().await.matches("data-key=\"request-").count(), 2);
}

/// A browser drops what the policy forbids without a visible error.
#[tokio::test(start_paused = true)]
async fn page_contains_nothing_that_its_content_security_policy_blocks() {
    let setup = TwoRegistries::start("", "").await;
    setup.pull().await;
    setup.corp.api().inject(Fault::html(502));
    assert_eq!(setup.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    let page = setup.page().await;
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
