//! Selection of the registry: pinned listener, `?ns=`, virtual host, first path segment, default registry.

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, registry_table, request};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Registry, Sim};

/// Simulations of Docker Hub, GHCR and a registry with a port, all without authentication.
struct ThreeRegistries {
    sim: Sim,
    regpass: Regpass,
}

impl ThreeRegistries {
    /// `before` precedes the registries' tables in the configuration.
    async fn start(before: &str) -> Self {
        let sim = Sim::memory();
        let hub = start_registry(&sim, "hub").await;
        let ghcr = start_registry(&sim, "ghcr").await;
        let port = start_registry(&sim, "port").await;
        let tables = [
            registry_table("docker.io", &hub, ""),
            registry_table("ghcr.io", &ghcr, "alias = \"gh\"\nhosts = [\"ghcr.corp.example\"]"),
            registry_table("localhost:5000", &port, "alias = \"local\""),
        ];
        let regpass = Regpass::start(&sim, &format!("{before}\n{}", tables.join("\n")));
        Self { sim, regpass }
    }

    /// Sends a GET of a path below `/v2/`, asserts a 200, and returns the server and path of each upstream request.
    async fn upstream_requests(&self, host: &str, path: &str) -> Vec<String> {
        let reply = get_with_host(&self.regpass, host, &format!("/v2/{path}")).await;
        assert_eq!(reply.status, 200, "{host} {path}: {reply:?}");
        let entries = self.sim.ledger().take();
        entries.iter().map(|entry| format!("{} {}", entry.server, entry.path)).collect()
    }

    /// Asserts for each case of host, path below `/v2/` and upstream request that the request is the only one.
    async fn assert_upstream_requests(&self, cases: &[(&str, &str, &str)]) {
        for (host, path, request) in cases {
            assert_eq!(self.upstream_requests(host, path).await, [*request], "{host} {path}");
        }
    }

    /// Sends a GET, asserts an error without an upstream request, and returns its status with code, and its message.
    async fn rejection(&self, host: &str, target: &str) -> (String, String) {
        let reply = get_with_host(&self.regpass, host, target).await;
        let (_, message) = reply.error();
        self.sim.ledger().expect(&[]);
        (reply.status_and_code(), message)
    }
}

async fn start_registry(sim: &Sim, name: &str) -> Registry {
    let registry = sim.start(Preset::distribution(AuthMode::Open).named(name)).await;
    let image = Image::single(name, ImageFormat::Docker);
    for repository in ["python", "library/python", "acme/app", "acme/app/deep"] {
        for tag in ["1", "2", "3"] {
            registry.publish(repository, tag, &image);
        }
    }
    registry
}

async fn get_with_host(regpass: &Regpass, host: &str, target: &str) -> Reply {
    let request = Request::builder().uri(target).header("host", host).body(Bytes::new()).unwrap();
    regpass.send(request).await
}

const LOCAL: &str = "localhost:5050";

#[tokio::test(start_paused = true)]
async fn registry_is_selected_by_namespace_virtual_host_path_or_default() {
    let setup = ThreeRegistries::start("").await;
    let cases = [
        (LOCAL, "acme/app/tags/list?ns=ghcr.io", "ghcr.registry /v2/acme/app/tags/list"),
        ("ghcr.corp.example", "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        ("GHCR.corp.example:5050", "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        ("ghcr.io.localhost:5050", "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        ("gh.localhost", "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        ("local.localhost:5050", "acme/app/tags/list", "port.registry /v2/acme/app/tags/list"),
        (LOCAL, "ghcr.io/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "GHCR.IO/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "gh/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "local/acme/app/deep/tags/list", "port.registry /v2/acme/app/deep/tags/list"),
        (LOCAL, "localhost:5000/acme/app/tags/list", "port.registry /v2/acme/app/tags/list"),
        (LOCAL, "localhost%3A5000/acme/app/tags/list", "port.registry /v2/acme/app/tags/list"),
        (LOCAL, "acme/app/tags/list?ns=localhost:5000", "port.registry /v2/acme/app/tags/list"),
        (LOCAL, "acme/app/tags/list?ns=localhost%3A5000", "port.registry /v2/acme/app/tags/list"),
        (LOCAL, "acme/app/tags/list", "hub.registry /v2/acme/app/tags/list"),
        ("127.0.0.1:5050", "acme/app/tags/list", "hub.registry /v2/acme/app/tags/list"),
    ];
    setup.assert_upstream_requests(&cases).await;
}

#[tokio::test(start_paused = true)]
async fn namespace_precedes_virtual_host_and_virtual_host_precedes_path() {
    let setup = ThreeRegistries::start("").await;
    let cases = [
        ("ghcr.corp.example", "acme/app/tags/list?ns=localhost:5000", "port.registry /v2/acme/app/tags/list"),
        ("gh.localhost", "acme/app/tags/list?ns=docker.io", "hub.registry /v2/acme/app/tags/list"),
    ];
    setup.assert_upstream_requests(&cases).await;
    // The selectors that do not count stay part of the repository name, which no registry has.
    for (host, path, request) in [
        (LOCAL, "gh/acme/app/tags/list?ns=localhost:5000", "port.registry GET /v2/gh/acme/app/tags/list anonymous 404"),
        ("gh.localhost", "local/acme/app/tags/list", "ghcr.registry GET /v2/local/acme/app/tags/list anonymous 404"),
    ] {
        assert_eq!(get_with_host(&setup.regpass, host, &format!("/v2/{path}")).await.status, 404);
        setup.sim.ledger().expect(&[request]);
    }
}

#[tokio::test(start_paused = true)]
async fn pinned_listener_ignores_namespace_and_virtual_host() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nregistry = \"ghcr.io\"";
    let setup = ThreeRegistries::start(listener).await;
    let cases = [
        (LOCAL, "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "acme/app/tags/list?ns=docker.io", "ghcr.registry /v2/acme/app/tags/list"),
        ("local.localhost", "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        // Only names of Docker Hub get the prefix `library/`.
        (LOCAL, "python/tags/list", "ghcr.registry /v2/python/tags/list"),
    ];
    setup.assert_upstream_requests(&cases).await;
    assert_eq!(get_with_host(&setup.regpass, LOCAL, "/v2/local/acme/app/tags/list").await.status, 404);
    setup.sim.ledger().expect(&["ghcr.registry GET /v2/local/acme/app/tags/list anonymous 404"]);
}

#[tokio::test(start_paused = true)]
async fn registry_named_twice_is_named_once_to_the_registry() {
    let setup = ThreeRegistries::start("").await;
    let cases = [
        (LOCAL, "ghcr.io/acme/app/tags/list?ns=ghcr.io", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "GHCR.io:443/acme/app/tags/list?ns=ghcr.io", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "gh/acme/app/tags/list?ns=ghcr.io", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "ghcr.io/acme/app/tags/list?ns=gh", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "localhost:5000/acme/app/tags/list?ns=localhost:5000", "port.registry /v2/acme/app/tags/list"),
        (LOCAL, "index.docker.io/python/tags/list?ns=docker.io", "hub.registry /v2/library/python/tags/list"),
        (LOCAL, "docker.io/acme/app/tags/list?ns=registry-1.docker.io", "hub.registry /v2/acme/app/tags/list"),
        ("ghcr.corp.example", "ghcr.io/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        ("gh.localhost", "ghcr.io/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "gh/ghcr.io/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
    ];
    setup.assert_upstream_requests(&cases).await;
    for target in ["/v2/ghcr.io/?ns=ghcr.io", "/v2/gh?ns=ghcr.io"] {
        assert_eq!(get_with_host(&setup.regpass, LOCAL, target).await.body, "{}", "{target}");
    }
    // Another registry's name, an alias without `ns`, and a third mention are part of the repository's name.
    for (host, path, name) in [
        (LOCAL, "quay.io/acme/app/tags/list?ns=ghcr.io", "quay.io/acme/app"),
        (LOCAL, "local/acme/app/tags/list?ns=ghcr.io", "local/acme/app"),
        (LOCAL, "gh/gh/app/tags/list", "gh/app"),
        ("ghcr.corp.example", "gh/app/tags/list", "gh/app"),
        (LOCAL, "ghcr.io/ghcr.io/app/tags/list?ns=ghcr.io", "ghcr.io/app"),
    ] {
        assert_eq!(get_with_host(&setup.regpass, host, &format!("/v2/{path}")).await.status, 404, "{path}");
        setup.sim.ledger().expect(&[&format!("ghcr.registry GET /v2/{name}/tags/list anonymous 404")]);
    }
}

#[tokio::test(start_paused = true)]
async fn pinned_listener_drops_its_own_registry_from_the_path() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nregistry = \"ghcr.io\"";
    let setup = ThreeRegistries::start(listener).await;
    let cases = [
        (LOCAL, "ghcr.io/acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "ghcr.io/acme/app/tags/list?ns=ghcr.io", "ghcr.registry /v2/acme/app/tags/list"),
    ];
    setup.assert_upstream_requests(&cases).await;
    // An alias may be the owner of a repository there, as the client has no reason to name the registry.
    for name in ["gh/app", "docker.io/app"] {
        assert_eq!(get_with_host(&setup.regpass, LOCAL, &format!("/v2/{name}/tags/list")).await.status, 404);
        setup.sim.ledger().expect(&[&format!("ghcr.registry GET /v2/{name}/tags/list anonymous 404")]);
    }
}

#[tokio::test(start_paused = true)]
async fn answer_to_a_request_with_ns_names_it() {
    let setup = ThreeRegistries::start("").await;
    for (target, status, namespace) in [
        ("/v2/acme/app/tags/list?ns=ghcr.io", 200, Some("ghcr.io")),
        ("/v2/acme/app/manifests/none?ns=ghcr.io", 404, Some("ghcr.io")),
        ("/v2/acme/app/tags/list?ns=localhost%3A5000", 200, Some("localhost:5000")),
        ("/v2/python/tags/list?ns=registry-1.docker.io", 200, Some("registry-1.docker.io")),
        ("/v2/?ns=docker.io", 200, Some("docker.io")),
        ("/v2/Acme/tags/list?ns=docker.io", 400, Some("docker.io")),
        ("/v2/acme/app/tags/list", 200, None),
        ("/v2/ghcr.io/acme/app/tags/list", 200, None),
        ("/v2/acme/app/tags/list?ns=a%0d%0ab", 404, None),
    ] {
        let reply = get_with_host(&setup.regpass, LOCAL, target).await;
        assert_eq!((reply.status.as_u16(), reply.header("oci-namespace")), (status, namespace), "{target}");
    }
    // A pinned listener does not look at `ns`, so it confirms only its own registry.
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nregistry = \"ghcr.io\"";
    let setup = ThreeRegistries::start(listener).await;
    for (ns, namespace) in [("ghcr.io", Some("ghcr.io")), ("docker.io", None)] {
        let reply = get_with_host(&setup.regpass, LOCAL, &format!("/v2/acme/app/tags/list?ns={ns}")).await;
        assert_eq!(reply.header("oci-namespace"), namespace, "{ns}");
    }
}

#[tokio::test(start_paused = true)]
async fn configured_default_registry_is_used() {
    let setup = ThreeRegistries::start("default_registry = \"ghcr.io\"").await;
    assert_eq!(setup.upstream_requests(LOCAL, "python/tags/list").await, ["ghcr.registry /v2/python/tags/list"]);
}

#[tokio::test(start_paused = true)]
async fn single_segment_names_of_docker_hub_get_the_prefix_library() {
    let setup = ThreeRegistries::start("").await;
    for path in [
        "python/tags/list",
        "library/python/tags/list",
        "docker.io/python/tags/list",
        "docker.io/library/python/tags/list",
        "python/tags/list?ns=docker.io",
    ] {
        assert_eq!(setup.upstream_requests(LOCAL, path).await, ["hub.registry /v2/library/python/tags/list"], "{path}");
    }
    assert_eq!(
        setup.upstream_requests(LOCAL, "ghcr.io/python/tags/list").await,
        ["ghcr.registry /v2/python/tags/list"]
    );
}

#[tokio::test(start_paused = true)]
async fn other_host_names_of_docker_hub_select_docker_hub() {
    let setup = ThreeRegistries::start("").await;
    for alias in
        ["registry-1.docker.io", "index.docker.io", "hub.docker.com", "registry.docker.io", "registry.hub.docker.com"]
    {
        let hub = ["hub.registry /v2/library/python/tags/list"];
        assert_eq!(setup.upstream_requests(LOCAL, &format!("{alias}/python/tags/list")).await, hub);
        assert_eq!(setup.upstream_requests(LOCAL, &format!("python/tags/list?ns={alias}")).await, hub);
        assert_eq!(setup.upstream_requests(&format!("{alias}.localhost:5050"), "python/tags/list").await, hub);
    }
}

#[tokio::test(start_paused = true)]
async fn table_under_another_name_of_docker_hub_configures_docker_hub() {
    let sim = Sim::memory();
    let hub = start_registry(&sim, "hub").await;
    let regpass = Regpass::start(&sim, &registry_table("index.docker.io", &hub, "alias = \"dh\""));
    for path in ["python/tags/list", "dh/python/tags/list", "hub.docker.com/python/tags/list"] {
        let reply = get_with_host(&regpass, LOCAL, &format!("/v2/{path}")).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        sim.ledger().expect(&["hub.registry GET /v2/library/python/tags/list anonymous 200"]);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_registries_are_rejected_with_advice_and_not_dialled() {
    let setup = ThreeRegistries::start("").await;
    for (host, target) in [
        (LOCAL, "/v2/evil.example/acme/app/tags/list"),
        (LOCAL, "/v2/acme/app/tags/list?ns=evil.example"),
        ("evil.example.localhost:5050", "/v2/acme/app/tags/list"),
        (LOCAL, "/v2/evil.example/"),
        (LOCAL, "/v2/?ns=evil.example"),
    ] {
        let (verdict, message) = setup.rejection(host, target).await;
        assert_eq!(verdict, "404 NAME_UNKNOWN", "{target}");
        assert!(message.contains("[registry.\"evil.example\"]"), "{target}: {message}");
    }
    for target in [
        "/v2/localhost/acme/app/tags/list",
        "/v2/localhost:5001/acme/app/tags/list",
        "/v2/ghcr.io:8443/acme/app/tags/list",
        "/v2/127.0.0.1/acme/app/tags/list",
        "/v2/169.254.169.254/latest/tags/list",
        "/v2/acme/app/tags/list?ns=",
        "/v2/acme/app/tags/list?ns=gh.localhost",
        "/v2/acme/app/tags/list?ns=ghcr.io/acme",
        "/v2/acme/app/tags/list?ns=user@ghcr.io",
        "/v2/acme/app/tags/list?ns=https://ghcr.io",
        "/v2/user@ghcr.io/acme/app/tags/list",
    ] {
        assert_eq!(setup.rejection(LOCAL, target).await.0, "404 NAME_UNKNOWN", "{target}");
    }
    assert!(setup.sim.network().dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn error_about_an_unknown_registry_contains_no_raw_client_text() {
    let setup = ThreeRegistries::start("").await;
    let long = format!("/v2/{}.example/app/tags/list", "x".repeat(5000));
    let (_, message) = setup.rejection(LOCAL, &long).await;
    assert!(message.len() < 500, "{}", message.len());
    let (_, message) = setup.rejection(LOCAL, "/v2/app/tags/list?ns=a%0d%0aSet-Cookie:%20b").await;
    assert!(!message.contains('\n') && !message.contains('\r'), "{message:?}");
}

#[tokio::test(start_paused = true)]
async fn links_select_the_registry_as_the_request_did() {
    let setup = ThreeRegistries::start("").await;
    for (host, target, next) in [
        (LOCAL, "/v2/acme/app/tags/list?n=1&ns=ghcr.io", "/v2/acme/app/tags/list?last=1&n=1&ns=ghcr.io"),
        (
            LOCAL,
            "/v2/acme/app/tags/list?ns=localhost%3A5000&n=2",
            "/v2/acme/app/tags/list?last=2&n=2&ns=localhost%3A5000",
        ),
        (LOCAL, "/v2/gh/acme/app/tags/list?n=1", "/v2/gh/acme/app/tags/list?last=1&n=1"),
        (
            LOCAL,
            "/v2/ghcr.io/acme/app/tags/list?n=1&ns=ghcr.io",
            "/v2/ghcr.io/acme/app/tags/list?last=1&n=1&ns=ghcr.io",
        ),
        (LOCAL, "/v2/ghcr.io/acme/app/tags/list?n=1", "/v2/ghcr.io/acme/app/tags/list?last=1&n=1"),
        (LOCAL, "/v2/localhost:5000/acme/app/tags/list?n=1", "/v2/localhost:5000/acme/app/tags/list?last=1&n=1"),
        ("gh.localhost:5050", "/v2/acme/app/tags/list?n=1", "/v2/acme/app/tags/list?last=1&n=1"),
        (LOCAL, "/v2/python/tags/list?n=1", "/v2/python/tags/list?last=1&n=1"),
        (LOCAL, "/v2/docker.io/python/tags/list?n=1", "/v2/docker.io/python/tags/list?last=1&n=1"),
    ] {
        let reply = get_with_host(&setup.regpass, host, target).await;
        assert_eq!(reply.header("link"), Some(&*format!("<{next}>; rel=\"next\"")), "{target}");
        let again = get_with_host(&setup.regpass, host, next).await;
        assert_eq!((again.status.as_u16(), again.json()["tags"][0] != reply.json()["tags"][0]), (200, true), "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_is_not_forwarded() {
    let setup = ThreeRegistries::start("").await;
    // The simulation fails if a registry receives `ns`.
    for target in [
        "/v2/acme/app/tags/list?ns=ghcr.io&ns=docker.io&n=1",
        "/v2/acme/app/manifests/1?ns=ghcr.io",
        "/v2/acme/app/tags/list?ns",
    ] {
        assert_eq!(get_with_host(&setup.regpass, LOCAL, target).await.status, 200, "{target}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn host_patterns_reach_the_requested_host() {
    let sim = Sim::memory();
    let host_patterns = "[registry.\"*.team.example\"]\nallow = [\"pull\"]\n[registry.\"*\"]\nallow = [\"pull\"]";
    let regpass = Regpass::start(&sim, host_patterns);
    for (target, dialled) in [
        ("/v2/a.team.example/app/tags/list", "a.team.example:443"),
        ("/v2/app/tags/list?ns=b.c.team.example", "b.c.team.example:443"),
        ("/v2/other.example/app/tags/list", "other.example:443"),
        ("/v2/other.example:8443/app/tags/list", "other.example:8443"),
    ] {
        let reply = get_with_host(&regpass, LOCAL, target).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{target}");
        assert_eq!(sim.network().dials().last().map(String::as_str), Some(dialled));
    }
    // The pattern matches no similar names.
    let regpass = Regpass::start(&sim, "[registry.\"*.team.example\"]\nallow = [\"pull\"]");
    for target in [
        "/v2/team.example/app/tags/list",
        "/v2/evilteam.example/app/tags/list",
        "/v2/a.team.example.evil.com/app/tags/list",
    ] {
        assert_eq!(get_with_host(&regpass, LOCAL, target).await.status_and_code(), "404 NAME_UNKNOWN", "{target}");
    }
}

#[tokio::test]
async fn wildcard_does_not_reach_private_addresses() {
    let sim = Sim::loopback();
    let inner = sim.start(Preset::distribution(AuthMode::Open)).await;
    let regpass = Regpass::start(&sim, "[registry.\"*\"]\nallow = [\"pull\"]");
    let port = inner.authority().rsplit_once(':').unwrap().1.to_owned();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        "10.0.0.1".into(),
        "169.254.169.254".into(),
    ] {
        let reply = regpass.send(request(Method::GET, &format!("/v2/app/tags/list?ns={host}"))).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE", "{host}");
        assert!(reply.error().1.contains("its address is"), "{host}: {}", reply.error().1);
    }
    sim.ledger().expect(&[]);
}

/// A client may request any number of hosts that a pattern matches, so regpass limits how many registries it keeps.
#[tokio::test(start_paused = true)]
async fn number_of_registries_matched_by_a_pattern_is_bounded() {
    let regpass = Regpass::start(&Sim::memory(), "[registry.\"one.corp.example\"]\n[registry.\"*.corp.example\"]");
    for number in 0..1200 {
        assert_eq!(regpass.get(&format!("/v2/r{number}.corp.example/")).await.status, 200);
    }
    let status = regpass.status().await;
    let hosts: Vec<_> = status["registries"].as_array().unwrap().iter().map(|one| one["host"].clone()).collect();
    assert!(hosts.len() <= 1026, "{}", hosts.len());
    for expected in ["docker.io", "one.corp.example", "r1199.corp.example"] {
        assert!(hosts.iter().any(|host| host == expected), "{expected}");
    }
}
