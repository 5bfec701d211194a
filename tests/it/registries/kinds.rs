//! What a kind of registry cannot do, and how it comes to be known.

use http::Method;

use crate::harness::{Regpass, only, request};
use crate::sim::{Family, Image, Preset, Registry, Sim};

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
