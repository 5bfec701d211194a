//! Lists: the pages and links of each registry, and rejected parameters.

use crate::harness::Reply;
use crate::sim::{Image, ImageFormat, Preset, Rule};
use crate::simulator_self_tests::{TestBench, status_and_code};

/// An open registry with the repositories and tags `a`, `b` and `c`.
async fn bench(preset: Preset, prefix: &str) -> TestBench {
    let bench = TestBench::open(preset).await;
    let image = Image::single("app", ImageFormat::Oci);
    for name in ["a", "b", "c"] {
        bench.registry.publish(&format!("{prefix}acme/{name}"), "1", &image);
        bench.registry.publish(&format!("{prefix}acme/app"), name, &image);
    }
    bench
}

fn listed(reply: &Reply) -> String {
    let document = reply.json();
    let items = if document["tags"].is_array() { &document["tags"] } else { &document["repositories"] };
    items.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn each_registry_writes_its_form_of_link() {
    let tags = "/v2/acme/app/tags/list";
    let rows = vec![
        (Preset::acr(), tags, Some("</v2/acme/app/tags/list?last=b&n=2&orderby=>; rel=\"next\"")),
        (Preset::acr(), "/v2/_catalog", Some("</v2/_catalog?last=acme%2Fapp&n=2&orderby=>; rel=\"next\"")),
        (Preset::zot(), tags, Some("</v2/acme/app/tags/list?n=2&last=b>; rel=\"next\"")),
        (Preset::quay(), tags, Some("</v2/acme/app/tags/list?n=2&last=b>; rel=\"next\"")),
        (Preset::harbor(), tags, Some("</v2/acme/app/tags/list?last=b&n=2>; rel=\"next\"")),
        (Preset::gcr(), tags, Some("</v2/acme/app/tags/list?last=b&n=2>; rel=\"next\"")),
    ];
    for (preset, target, link) in rows {
        let bench = bench(preset, "").await;
        let reply = bench.send("GET", &format!("{target}?n=2"), &[], b"").await;
        assert_eq!((reply.status.as_u16(), reply.header("link")), (200, link), "{reply:?}");
    }
    let bench = bench(Preset::artifactory_by_path(), "docker-local/").await;
    let reply = bench.send("GET", "/v2/docker-local/acme/app/tags/list?n=2", &[], b"").await;
    assert_eq!(
        reply.header("link"),
        Some("</v2/acme/app/tags/list?last=b&n=2>; rel=\"next\""),
        "the link does not have the key"
    );
}

#[tokio::test(start_paused = true)]
async fn ghcr_links_contain_n_0_without_a_requested_n() {
    let mut preset = Preset::ghcr();
    preset.lists.catalog.as_mut().unwrap().chunked = false;
    let bench = bench(preset, "").await;
    for number in 0..120 {
        bench.registry.publish(&format!("0b2ce/core{number:03}"), "1", &Image::single("app", ImageFormat::Oci));
    }
    let reply = bench.send("GET", "/v2/_catalog", &[], b"").await;
    assert_eq!(reply.header("link"), Some("</v2/_catalog?last=0b2ce%2Fcore099&n=0>; rel=\"next\""));
}

#[tokio::test(start_paused = true)]
async fn quay_catalog_cursor_is_opaque_and_returns_the_next_page() {
    let bench = bench(Preset::quay(), "").await;
    let mut target = "/v2/_catalog?n=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let reply = bench.send("GET", &target, &[], b"").await;
        pages.push(listed(&reply));
        let Some(link) = reply.header("link") else { break };
        target = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        assert!(target.starts_with("http://quay.test/v2/_catalog?n=2&next_page="), "{target}");
        assert!(!target.contains("acme") && !target.contains("last="), "{target}");
    }
    assert_eq!(pages, ["acme/a acme/app", "acme/b acme/c"]);
    let lost = bench.send("GET", "/v2/_catalog?n=2&next_page=garbage", &[], b"").await;
    assert_eq!(listed(&lost), "acme/a acme/app", "an invalid cursor returns the first page");
}

#[tokio::test(start_paused = true)]
async fn n_and_last_out_of_bounds_get_the_reply_of_each_registry() {
    let rows = vec![
        (Preset::quay(), "n=0", "200", "a"),
        (Preset::quay(), "n=x", "200", "a"),
        (Preset::quay(), "n=1000000", "200", "a b c"),
        (Preset::zot(), "n=-1", "400", ""),
        (Preset::zot(), "n=0", "200", ""),
        (Preset::zot(), "last=none", "404", ""),
        (Preset::ecr(), "n=1000", "200", "a b c"),
        (Preset::ecr(), "n=1001", "405 UNSUPPORTED", ""),
        (Preset::ecr_public(), "n=1001", "405 UNSUPPORTED", ""),
        (Preset::gcr(), "n=20000", "200", "a b c"),
        (Preset::generic(), "n=x", "400 PAGINATION_NUMBER_INVALID", ""),
    ];
    for (preset, query, expected, tags) in rows {
        let bench = bench(preset, "").await;
        let reply = bench.send("GET", &format!("/v2/acme/app/tags/list?{query}"), &[], b"").await;
        assert_eq!(status_and_code(&reply), expected, "{query}");
        match expected {
            "200" => assert_eq!(listed(&reply), tags, "{query}"),
            "400" | "404" => assert!(reply.body.is_empty(), "{query}"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn quay_token_request_with_push_creates_the_repository_and_a_read_of_it_breaks_a_rule() {
    for (method, target, broken) in
        [("GET", "/v2/acme/new/manifests/1", true), ("POST", "/v2/acme/new/blobs/uploads/", false)]
    {
        let bench = TestBench::start(Preset::quay()).await;
        bench.registry.add_user("acme", "password");
        let credential = Some(("acme", "password"));
        bench.bearer("repository:acme/new:pull", credential).await;
        assert!(!bench.registry.store().exists("acme/new"));
        let bearer = bench.bearer("repository:acme/new:pull,push", credential).await;
        assert!(bench.registry.store().exists("acme/new"));
        bench.send(method, target, &[&bearer], b"").await;
        let violations = bench.sim.take_violations();
        assert_eq!(violations.iter().any(|line| line.starts_with("RepositoryCreatedByPull")), broken, "{violations:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn credential_at_the_kubernetes_region_breaks_a_rule() {
    let bench = bench(Preset::kubernetes(), "").await;
    bench.sim.allow(Rule::UnknownBearer);
    let target = "http://region.k8s.test/v2/k8s-artifacts-prod/images/acme/app/tags/list";
    bench.send("GET", target, &["authorization: Bearer x"], b"").await;
    let violations = bench.sim.take_violations();
    assert!(violations[0].starts_with("CredentialAfterRedirect"), "{violations:?}");
}
