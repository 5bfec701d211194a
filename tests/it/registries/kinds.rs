//! What is known of a kind of registry, and how it comes to be known.

use http::Method;

use crate::harness::{Regpass, only, request};
use crate::sim::{Family, Fault, Image, Preset, Registry, Reply, Sim};

/// A private registry whose host says nothing, with a login, and regpass in front of it; `more` goes into its table.
async fn unknown(preset: Preset, more: &str) -> (Sim, Registry, Regpass, Image) {
    let sim = Sim::memory();
    let login = preset.can.login;
    let registry = sim.start(preset).await;
    let image = Image::single("app", Family::Oci);
    registry.furnish("1", &image);
    let login = login.map_or(String::new(), |(user, password)| {
        format!("credential = {{ source = \"password\", username = '{user}', password = '{password}' }}")
    });
    let more = format!("allow = [\"pull\", \"push\", \"delete\"]\n{login}\n{more}");
    let regpass = Regpass::start(&sim, &only(&registry, &more));
    (sim, registry, regpass, image)
}

#[tokio::test(start_paused = true)]
async fn a_private_harbor_is_known_before_a_tag_is_deleted_there() {
    let preset = Preset::harbor();
    let name = preset.can.private;
    let (sim, _registry, regpass, image) = unknown(preset, "").await;
    let reply = regpass.send(request(Method::DELETE, &format!("/v2/{name}/manifests/1"))).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let deletes = |entry: &crate::sim::Entry| entry.method == Method::DELETE && entry.path.ends_with(image.digest());
    assert_eq!(sim.ledger().count("registry", deletes), 1);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_where_nothing_can_be() {
    let (sim, _registry, regpass, _) = unknown(Preset::kubernetes(), "profile = \"kubernetes\"").await;
    for (method, path) in
        [(Method::POST, "blobs/uploads/"), (Method::PUT, "manifests/1"), (Method::DELETE, "manifests/1")]
    {
        let reply = regpass.send(request(method.clone(), &format!("/v2/a/b/{path}"))).await;
        assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{method}");
        assert!(reply.error().1.contains("kubernetes/k8s.io"), "{reply:?}");
    }
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_tag_that_gives_the_subject_itself_is_none() {
    let preset = Preset::gitlab();
    let name = preset.can.private;
    let (sim, _registry, regpass, image) = unknown(preset, "profile = \"gitlab\"").await;
    let tag = image.digest().replace(':', "-");
    let reply = regpass.get(&format!("/v2/{name}/manifests/{tag}")).await;
    assert_eq!(reply.verdict(), "404 MANIFEST_UNKNOWN");
    assert_eq!(regpass.get(&format!("/v2/{name}/manifests/1")).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_page_size_that_is_refused_is_left_out() {
    let preset = Preset::generic();
    let name = preset.can.private;
    let (sim, registry, regpass, _) = unknown(preset, "").await;
    assert_eq!(regpass.get(&format!("/v2/{name}/tags/list")).await.status, 200);
    sim.ledger().take();
    let refusal = Reply::error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
    registry.registry().inject(Fault::answer(refusal).times(1));
    let reply = regpass.get(&format!("/v2/{name}/tags/list?n=500")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["tags"][0]), (200, &"1".into()), "{reply:?}");
    let queries: Vec<String> = sim.ledger().take().into_iter().map(|entry| entry.query).collect();
    assert_eq!(queries, ["n=500", ""]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_moment_that_a_registry_asks_for_is_waited() {
    let preset = Preset::generic();
    let name = preset.can.private;
    let (sim, registry, regpass, _) = unknown(preset, "").await;
    let target = format!("/v2/{name}/manifests/1");
    assert_eq!(regpass.get(&target).await.status, 200);
    for (after, requests, status) in [("2", 2, 200), ("60", 1, 429)] {
        sim.ledger().take();
        let busy = Reply::error(429, "TOOMANYREQUESTS", "slow down").header("retry-after", after);
        registry.registry().inject(Fault::answer(busy).times(1));
        let begun = tokio::time::Instant::now();
        let reply = regpass.get(&target).await;
        assert_eq!((reply.status.as_u16(), sim.ledger().take().len()), (status, requests), "{after}");
        assert_eq!(begun.elapsed().as_secs(), if requests == 2 { 2 } else { 0 }, "{after}");
    }
    sim.finish();
}
