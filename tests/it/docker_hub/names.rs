//! The many DNS names of Docker Hub.

use http::Method;

use super::{COLD, MANIFEST, WARM};
use crate::harness::{Regpass, request};
use crate::sim::Sim;
use crate::stage::{Stage, at};

const NAMES: [&str; 6] = [
    "docker.io",
    "registry-1.docker.io",
    "index.docker.io",
    "hub.docker.com",
    "registry.docker.io",
    "registry.hub.docker.com",
];

#[tokio::test(start_paused = true)]
async fn every_name_of_it_works_as_first_part_of_the_path() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for name in NAMES {
        for image in ["library/python", "python"] {
            let reply = stage.get(&format!("/v2/{name}/{image}/manifests/3.10")).await;
            assert_eq!(reply.header("docker-content-digest"), Some(stage.image.digest()), "{name} {image}");
            stage.expect(&[WARM]);
        }
        let head = stage.head(&format!("/v2/{name}/python/manifests/3.10")).await;
        assert_eq!(head.header("docker-content-digest"), Some(stage.image.digest()), "{name}");
        stage.expect(&["registry HEAD /v2/library/python/manifests/3.10 bearer#1 200"]);
    }
}

#[tokio::test(start_paused = true)]
async fn every_name_of_it_works_as_ns_of_a_mirror() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for name in NAMES {
        let reply = stage.get(&format!("{MANIFEST}?ns={name}")).await;
        assert_eq!(reply.header("docker-content-digest"), Some(stage.image.digest()), "{name}");
        stage.expect(&[WARM]);
    }
}

#[tokio::test(start_paused = true)]
async fn every_name_of_it_works_as_virtual_host() {
    let stage = Stage::docker_hub("").await;
    stage.warm(MANIFEST).await;
    for name in NAMES {
        for host in [format!("{name}.localhost:5050"), format!("{name}.localhost")] {
            let reply = stage.send(at(&host, request(Method::GET, MANIFEST))).await;
            assert_eq!(reply.header("docker-content-digest"), Some(stage.image.digest()), "{host}");
            stage.expect(&[WARM]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn names_without_a_registry_are_its_official_images() {
    let stage = Stage::docker_hub("").await;
    assert_eq!(stage.get("/v2/python/manifests/3.10").await.status, 200);
    stage.expect(&COLD);
}

/// registry.docker.io only stands in tokens: it answers 503 to every request.
#[tokio::test(start_paused = true)]
async fn the_service_is_a_name_for_tokens_and_never_a_host_to_call() {
    let stage = Stage::docker_hub("").await;
    assert_eq!(stage.get("/v2/registry.docker.io/library/python/manifests/3.10").await.status, 200);
    stage.expect(&COLD);
    assert_eq!(stage.sim.network().dials(), ["hub.test:80", "auth.hub.test:80"]);
}

#[tokio::test(start_paused = true)]
async fn its_api_is_dialled_at_registry_1_over_tls_without_any_configuration() {
    for target in [MANIFEST, "/v2/hub.docker.com/library/python/manifests/3.10"] {
        let sim = Sim::memory();
        let regpass = Regpass::start(&sim, "");
        let reply = regpass.get(target).await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE");
        assert_eq!(reply.json()["errors"][0]["detail"]["registry"], "docker.io");
        let dials = sim.network().dials();
        assert!(!dials.is_empty() && dials.iter().all(|address| address == "registry-1.docker.io:443"), "{dials:?}");
    }
}
