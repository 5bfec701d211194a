//! How a request finds its registry: pinned listener, `?ns=`, virtual host, first path component, default.

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, request, table};
use crate::sim::{Family, Image, Mode, Preset, Registry, Sim};

/// Docker Hub, GHCR and a registry on a port, all open, so that the ledger tells nothing but where requests went.
struct World {
    sim: Sim,
    regpass: Regpass,
}

impl World {
    async fn start(before: &str) -> Self {
        let sim = Sim::memory();
        let hub = open(&sim, "hub").await;
        let ghcr = open(&sim, "ghcr").await;
        let port = open(&sim, "port").await;
        let tables = [
            table("docker.io", &hub, ""),
            table("ghcr.io", &ghcr, "alias = \"gh\"\nhosts = [\"ghcr.corp.example\"]"),
            table("localhost:5000", &port, "alias = \"local\""),
        ];
        let regpass = Regpass::start(&sim, &format!("{before}\n{}", tables.join("\n")));
        Self { sim, regpass }
    }

    /// Lists the tags of a repository by a path below `/v2/`, and tells where that led.
    async fn tags(&self, host: &str, path: &str) -> Vec<String> {
        let reply = at(&self.regpass, host, &format!("/v2/{path}")).await;
        assert_eq!(reply.status, 200, "{host} {path}: {reply:?}");
        let entries = self.sim.ledger().take();
        entries.iter().map(|entry| format!("{} {}", entry.server, entry.path)).collect()
    }

    async fn refused(&self, host: &str, target: &str) -> (String, String) {
        let reply = at(&self.regpass, host, target).await;
        let (_, message) = reply.error();
        self.sim.ledger().expect(&[]);
        (reply.verdict(), message)
    }
}

async fn open(sim: &Sim, name: &str) -> Registry {
    let registry = sim.start(Preset::distribution(Mode::Open).named(name)).await;
    let image = Image::single(name, Family::Docker);
    for repository in ["python", "library/python", "acme/app", "acme/app/deep"] {
        for tag in ["1", "2", "3"] {
            registry.publish(repository, tag, &image);
        }
    }
    registry
}

async fn at(regpass: &Regpass, host: &str, target: &str) -> Reply {
    let request = Request::builder().uri(target).header("host", host).body(Bytes::new()).unwrap();
    regpass.send(request).await
}

const LOCAL: &str = "localhost:5050";

#[tokio::test(start_paused = true)]
async fn each_of_the_five_ways_leads_to_its_registry() {
    let world = World::start("").await;
    for (host, path, seen) in [
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
    ] {
        assert_eq!(world.tags(host, path).await, [seen], "{host} {path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_way_that_matches_wins() {
    let world = World::start("").await;
    // A namespace beats the virtual host and the path; a virtual host beats the path.
    for (host, path, seen) in [
        ("ghcr.corp.example", "acme/app/tags/list?ns=localhost:5000", "port.registry /v2/acme/app/tags/list"),
        ("gh.localhost", "acme/app/tags/list?ns=docker.io", "hub.registry /v2/acme/app/tags/list"),
    ] {
        assert_eq!(world.tags(host, path).await, [seen], "{host} {path}");
    }
    // What lost is part of the name, and no registry has a repository of that name.
    for (host, path, seen) in [
        (LOCAL, "gh/acme/app/tags/list?ns=localhost:5000", "port.registry GET /v2/gh/acme/app/tags/list anonymous 404"),
        ("gh.localhost", "local/acme/app/tags/list", "ghcr.registry GET /v2/local/acme/app/tags/list anonymous 404"),
    ] {
        assert_eq!(at(&world.regpass, host, &format!("/v2/{path}")).await.status, 404);
        world.sim.ledger().expect(&[seen]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pinned_listener_serves_one_registry_whatever_the_client_says() {
    let listener = "[[listener]]\naddress = \"127.0.0.1:5050\"\nregistry = \"ghcr.io\"";
    let world = World::start(listener).await;
    for (host, path, seen) in [
        (LOCAL, "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        (LOCAL, "acme/app/tags/list?ns=docker.io", "ghcr.registry /v2/acme/app/tags/list"),
        ("local.localhost", "acme/app/tags/list", "ghcr.registry /v2/acme/app/tags/list"),
        // No library/: that is Docker Hub's.
        (LOCAL, "python/tags/list", "ghcr.registry /v2/python/tags/list"),
    ] {
        assert_eq!(world.tags(host, path).await, [seen], "{host} {path}");
    }
    assert_eq!(at(&world.regpass, LOCAL, "/v2/local/acme/app/tags/list").await.status, 404);
    world.sim.ledger().expect(&["ghcr.registry GET /v2/local/acme/app/tags/list anonymous 404"]);
}

#[tokio::test(start_paused = true)]
async fn another_default_registry_takes_the_rest() {
    let world = World::start("default_registry = \"ghcr.io\"").await;
    assert_eq!(world.tags(LOCAL, "python/tags/list").await, ["ghcr.registry /v2/python/tags/list"]);
}

#[tokio::test(start_paused = true)]
async fn one_component_names_of_docker_hub_live_below_library() {
    let world = World::start("").await;
    for path in [
        "python/tags/list",
        "library/python/tags/list",
        "docker.io/python/tags/list",
        "docker.io/library/python/tags/list",
        "python/tags/list?ns=docker.io",
    ] {
        assert_eq!(world.tags(LOCAL, path).await, ["hub.registry /v2/library/python/tags/list"], "{path}");
    }
    assert_eq!(world.tags(LOCAL, "ghcr.io/python/tags/list").await, ["ghcr.registry /v2/python/tags/list"]);
}

#[tokio::test(start_paused = true)]
async fn names_people_mistake_for_docker_hub_mean_it() {
    let world = World::start("").await;
    for alias in
        ["registry-1.docker.io", "index.docker.io", "hub.docker.com", "registry.docker.io", "registry.hub.docker.com"]
    {
        let hub = ["hub.registry /v2/library/python/tags/list"];
        assert_eq!(world.tags(LOCAL, &format!("{alias}/python/tags/list")).await, hub);
        assert_eq!(world.tags(LOCAL, &format!("python/tags/list?ns={alias}")).await, hub);
        assert_eq!(world.tags(&format!("{alias}.localhost:5050"), "python/tags/list").await, hub);
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_under_an_alias_of_docker_hub_configures_docker_hub() {
    let sim = Sim::memory();
    let hub = open(&sim, "hub").await;
    let regpass = Regpass::start(&sim, &table("index.docker.io", &hub, "alias = \"dh\""));
    for path in ["python/tags/list", "dh/python/tags/list", "hub.docker.com/python/tags/list"] {
        let reply = at(&regpass, LOCAL, &format!("/v2/{path}")).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        sim.ledger().expect(&["hub.registry GET /v2/library/python/tags/list anonymous 200"]);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_registries_are_refused_by_name_of_the_setting_and_not_reached() {
    let world = World::start("").await;
    for (host, target) in [
        (LOCAL, "/v2/evil.example/acme/app/tags/list"),
        (LOCAL, "/v2/acme/app/tags/list?ns=evil.example"),
        ("evil.example.localhost:5050", "/v2/acme/app/tags/list"),
        (LOCAL, "/v2/evil.example/"),
        (LOCAL, "/v2/?ns=evil.example"),
    ] {
        let (verdict, message) = world.refused(host, target).await;
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
        assert_eq!(world.refused(LOCAL, target).await.0, "404 NAME_UNKNOWN", "{target}");
    }
    assert!(world.sim.network().dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_about_a_strange_registry_holds_no_raw_text_of_the_client() {
    let world = World::start("").await;
    let long = format!("/v2/{}.example/app/tags/list", "x".repeat(5000));
    let (_, message) = world.refused(LOCAL, &long).await;
    assert!(message.len() < 500, "{}", message.len());
    let (_, message) = world.refused(LOCAL, "/v2/app/tags/list?ns=a%0d%0aSet-Cookie:%20b").await;
    assert!(!message.contains('\n') && !message.contains('\r'), "{message:?}");
}

#[tokio::test(start_paused = true)]
async fn links_keep_the_way_the_client_chose() {
    let world = World::start("").await;
    for (host, target, next) in [
        (LOCAL, "/v2/acme/app/tags/list?n=1&ns=ghcr.io", "/v2/acme/app/tags/list?last=1&n=1&ns=ghcr.io"),
        (
            LOCAL,
            "/v2/acme/app/tags/list?ns=localhost%3A5000&n=2",
            "/v2/acme/app/tags/list?last=2&n=2&ns=localhost%3A5000",
        ),
        (LOCAL, "/v2/gh/acme/app/tags/list?n=1", "/v2/gh/acme/app/tags/list?last=1&n=1"),
        (LOCAL, "/v2/ghcr.io/acme/app/tags/list?n=1", "/v2/ghcr.io/acme/app/tags/list?last=1&n=1"),
        (LOCAL, "/v2/localhost:5000/acme/app/tags/list?n=1", "/v2/localhost:5000/acme/app/tags/list?last=1&n=1"),
        ("gh.localhost:5050", "/v2/acme/app/tags/list?n=1", "/v2/acme/app/tags/list?last=1&n=1"),
        (LOCAL, "/v2/python/tags/list?n=1", "/v2/python/tags/list?last=1&n=1"),
        (LOCAL, "/v2/docker.io/python/tags/list?n=1", "/v2/docker.io/python/tags/list?last=1&n=1"),
    ] {
        let reply = at(&world.regpass, host, target).await;
        assert_eq!(reply.header("link"), Some(&*format!("<{next}>; rel=\"next\"")), "{target}");
        let again = at(&world.regpass, host, next).await;
        assert_eq!((again.status.as_u16(), again.json()["tags"][0] != reply.json()["tags"][0]), (200, true), "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_namespace_never_travels_on() {
    let world = World::start("").await;
    // The simulation fails on any `ns` it sees.
    for target in [
        "/v2/acme/app/tags/list?ns=ghcr.io&ns=docker.io&n=1",
        "/v2/acme/app/manifests/1?ns=ghcr.io",
        "/v2/acme/app/tags/list?ns",
    ] {
        assert_eq!(at(&world.regpass, LOCAL, target).await.status, 200, "{target}");
    }
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn families_and_the_wildcard_reach_the_host_that_was_named() {
    let sim = Sim::memory();
    let families = "[registry.\"*.team.example\"]\nallow = [\"pull\"]\n[registry.\"*\"]\nallow = [\"pull\"]";
    let regpass = Regpass::start(&sim, families);
    for (target, dialled) in [
        ("/v2/a.team.example/app/tags/list", "a.team.example:443"),
        ("/v2/app/tags/list?ns=b.c.team.example", "b.c.team.example:443"),
        ("/v2/other.example/app/tags/list", "other.example:443"),
        ("/v2/other.example:8443/app/tags/list", "other.example:8443"),
    ] {
        let reply = at(&regpass, LOCAL, target).await;
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{target}");
        assert_eq!(sim.network().dials().last().map(String::as_str), Some(dialled));
    }
    // The family alone names nothing beside it.
    let regpass = Regpass::start(&sim, "[registry.\"*.team.example\"]\nallow = [\"pull\"]");
    for target in [
        "/v2/team.example/app/tags/list",
        "/v2/evilteam.example/app/tags/list",
        "/v2/a.team.example.evil.com/app/tags/list",
    ] {
        assert_eq!(at(&regpass, LOCAL, target).await.verdict(), "404 NAME_UNKNOWN", "{target}");
    }
}

#[tokio::test]
async fn the_wildcard_reaches_no_address_that_is_not_public() {
    let sim = Sim::loopback();
    let inner = sim.start(Preset::distribution(Mode::Open)).await;
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
        assert_eq!(reply.verdict(), "502 UNAVAILABLE", "{host}");
        assert!(reply.error().1.contains("its address is"), "{host}: {}", reply.error().1);
    }
    sim.ledger().expect(&[]);
}

/// Whoever may name any host of a family may name them all.
#[tokio::test(start_paused = true)]
async fn the_registries_of_a_family_are_bounded() {
    let regpass = Regpass::start(&Sim::memory(), "[registry.\"one.corp.example\"]\n[registry.\"*.corp.example\"]");
    for number in 0..1200 {
        assert_eq!(regpass.get(&format!("/v2/r{number}.corp.example/")).await.status, 200);
    }
    let status = regpass.status().await;
    let hosts: Vec<_> = status["registries"].as_array().unwrap().iter().map(|one| one["host"].clone()).collect();
    assert!(hosts.len() <= 1026, "{}", hosts.len());
    for kept in ["docker.io", "one.corp.example", "r1199.corp.example"] {
        assert!(hosts.iter().any(|host| host == kept), "{kept}");
    }
}
