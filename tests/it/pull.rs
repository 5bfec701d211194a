//! The requests of a pull from Docker Hub.

use crate::harness::{Regpass, registry_table};
use crate::sim::{Image, ImageFormat, Preset, Sim};

#[tokio::test(start_paused = true)]
async fn cold_pull_costs_three_requests_and_a_warm_one_costs_one() {
    let sim = Sim::memory();
    let hub = sim.start(Preset::docker_hub()).await;
    hub.publish("library/python", "3.10", &Image::multi_arch("python", ImageFormat::Oci));
    let regpass = Regpass::start(&sim, &registry_table("docker.io", &hub, ""));

    let cold = regpass.get("/v2/python/manifests/3.10").await;
    assert_eq!(cold.status, 200, "{cold:?}");
    sim.ledger().expect(&[
        "registry GET /v2/library/python/manifests/3.10 anonymous 401",
        "token GET /token?service=registry.docker.io&scope=repository:library/python:pull anonymous 200",
        "registry GET /v2/library/python/manifests/3.10 bearer#1 200",
    ]);
    assert_eq!(regpass.get("/v2/library/python/manifests/3.10").await.body, cold.body);
    sim.ledger().expect(&["registry GET /v2/library/python/manifests/3.10 bearer#1 200"]);
    sim.finish();
}
