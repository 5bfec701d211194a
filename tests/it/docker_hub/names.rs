//! The DNS names that mean Docker Hub.

use http::Method;

use super::{COLD, MANIFEST, WARM, start_warm};
use crate::harness::{Regpass, request};
use crate::proxied_registry::{ProxiedRegistry, with_host};
use crate::sim::Sim;

const NAMES: [&str; 6] = [
    "docker.io",
    "registry-1.docker.io",
    "index.docker.io",
    "hub.docker.com",
    "registry.docker.io",
    "registry.hub.docker.com",
];

#[tokio::test(start_paused = true)]
async fn every_name_works_as_first_path_segment() {
    let proxied = start_warm("").await;
    for name in NAMES {
        for image in ["library/python", "python"] {
            let reply = proxied.get(&format!("/v2/{name}/{image}/manifests/3.10")).await;
            assert_eq!(reply.header("docker-content-digest"), Some(proxied.image.digest()), "{name} {image}");
            proxied.expect(&[WARM]);
        }
        let head = proxied.head(&format!("/v2/{name}/python/manifests/3.10")).await;
        assert_eq!(head.header("docker-content-digest"), Some(proxied.image.digest()), "{name}");
        proxied.expect(&["registry HEAD /v2/library/python/manifests/3.10 bearer#1 200"]);
    }
}

#[tokio::test(start_paused = true)]
async fn every_name_works_as_ns_parameter() {
    let proxied = start_warm("").await;
    for name in NAMES {
        let reply = proxied.get(&format!("{MANIFEST}?ns={name}")).await;
        assert_eq!(reply.header("docker-content-digest"), Some(proxied.image.digest()), "{name}");
        proxied.expect(&[WARM]);
    }
}

#[tokio::test(start_paused = true)]
async fn every_name_works_as_virtual_host() {
    let proxied = start_warm("").await;
    for name in NAMES {
        for host in [format!("{name}.localhost:5050"), format!("{name}.localhost")] {
            let reply = proxied.send(with_host(&host, request(Method::GET, MANIFEST))).await;
            assert_eq!(reply.header("docker-content-digest"), Some(proxied.image.digest()), "{host}");
            proxied.expect(&[WARM]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn single_segment_name_is_an_official_image() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    assert_eq!(proxied.get("/v2/python/manifests/3.10").await.status, 200);
    proxied.expect(&COLD);
}

/// registry.docker.io is only the `service` of tokens: as a host it answers 503 to every request.
#[tokio::test(start_paused = true)]
async fn host_named_by_the_token_service_parameter_is_never_dialled() {
    let proxied = ProxiedRegistry::docker_hub("").await;
    assert_eq!(proxied.get("/v2/registry.docker.io/library/python/manifests/3.10").await.status, 200);
    proxied.expect(&COLD);
    assert_eq!(proxied.sim.network().dials(), ["hub.test:80", "auth.hub.test:80"]);
}

#[tokio::test(start_paused = true)]
async fn unconfigured_docker_hub_is_dialled_at_registry_1_over_tls() {
    for target in [MANIFEST, "/v2/hub.docker.com/library/python/manifests/3.10"] {
        let sim = Sim::memory();
        let regpass = Regpass::start(&sim, "");
        let reply = regpass.get(target).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
        assert_eq!(reply.json()["errors"][0]["detail"]["registry"], "docker.io");
        let dials = sim.network().dials();
        assert!(!dials.is_empty() && dials.iter().all(|address| address == "registry-1.docker.io:443"), "{dials:?}");
    }
}
