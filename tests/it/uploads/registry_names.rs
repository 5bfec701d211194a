//! Upload locations name the registry in the way the client did.

use bytes::Bytes;
use http::{Method, Request};

use super::{location_of, token_registry, with_digest};
use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{AuthMode, Preset, Registry, Sim, sha256};

const BLOB: &[u8] = b"the first part, and the second";
const LOCAL: &str = "localhost:5050";

async fn send(regpass: &Regpass, method: Method, host: &str, target: &str, body: &'static [u8]) -> Reply {
    let request = Request::builder().method(method).uri(target).header("host", host);
    regpass.send(request.body(Bytes::from_static(body)).unwrap()).await
}

async fn start() -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let hub = sim.start(Preset::distribution(AuthMode::Open).named("hub")).await;
    let private_registry = sim.start(token_registry().named("private")).await;
    private_registry.add_user("alice", "alices password");
    let more = "alias = \"local\"\nhosts = [\"registry.corp.example\"]\nallow = [\"push\", \"delete\"]\n\
        credential = { source = \"password\", username = \"alice\", password = \"alices password\" }";
    let text = format!(
        "{}{}",
        registry_table("docker.io", &hub, "allow = [\"push\"]"),
        registry_table("localhost:5000", &private_registry, more)
    );
    let regpass = Regpass::start(&sim, &text);
    (sim, private_registry, regpass)
}

#[tokio::test(start_paused = true)]
async fn locations_name_the_registry_as_the_client_did_in_every_form() {
    let (sim, private_registry, regpass) = start().await;
    for (host, before, after) in [
        (LOCAL, "/v2/localhost:5000/team/app/blobs", ""),
        (LOCAL, "/v2/local/team/app/blobs", ""),
        (LOCAL, "/v2/team/app/blobs", "?ns=localhost:5000"),
        (LOCAL, "/v2/team/app/blobs", "?ns=localhost%3A5000"),
        ("registry.corp.example", "/v2/team/app/blobs", ""),
        ("local.localhost:5050", "/v2/team/app/blobs", ""),
    ] {
        private_registry.store().write("team/app", |repository| repository.blobs.clear());
        let next_target = |reply: &Reply| {
            assert_eq!(reply.status, 202, "{host} {before}{after}: {reply:?}");
            let location = location_of(reply);
            assert!(location.starts_with(&format!("{before}/uploads/")) && location.ends_with(after), "{location}");
            location
        };
        let target = next_target(&send(&regpass, Method::POST, host, &format!("{before}/uploads/{after}"), b"").await);
        let target = next_target(&send(&regpass, Method::PATCH, host, &target, &BLOB[..15]).await);
        let status = send(&regpass, Method::GET, host, &target, b"").await;
        assert_eq!(status.status, 204);
        let target = with_digest(&location_of(&status), BLOB);
        let reply = send(&regpass, Method::PUT, host, &target, &BLOB[15..]).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("location"), Some(&*format!("{before}/{}{after}", sha256(BLOB))));
        assert!(
            private_registry
                .store()
                .read("team/app", |repository| repository.blobs.contains_key(&sha256(BLOB)))
                .unwrap()
        );
        let servers: Vec<_> = sim.ledger().take().into_iter().map(|entry| entry.server).collect();
        assert!(servers.iter().all(|server| server.starts_with("private.")), "{servers:?}");
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_name_of_one_component_is_in_library_at_docker_hub() {
    let (sim, _port, regpass) = start().await;
    for (name, upstream) in
        [("python", "library/python"), ("docker.io/python", "library/python"), ("acme/app", "acme/app")]
    {
        let reply = send(&regpass, Method::POST, LOCAL, &format!("/v2/{name}/blobs/uploads/"), b"").await;
        let target = location_of(&reply);
        assert!(target.starts_with(&format!("/v2/{name}/blobs/uploads/")), "{target}");
        let target = with_digest(&target, BLOB);
        let reply = send(&regpass, Method::PUT, LOCAL, &target, BLOB).await;
        assert_eq!(reply.header("location"), Some(&*format!("/v2/{name}/blobs/{}", sha256(BLOB))), "{reply:?}");
        let entries = sim.ledger().take();
        let steps = entries.iter().filter(|entry| entry.method != Method::GET);
        assert!(steps.clone().all(|entry| entry.path.starts_with(&format!("/v2/{upstream}/blobs/"))), "{entries:?}");
        assert_eq!(steps.count(), 2);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_location_is_valid_under_any_name_of_the_registry() {
    let (sim, _port, regpass) = start().await;
    let started = send(&regpass, Method::POST, LOCAL, "/v2/local/team/app/blobs/uploads/", b"").await;
    let session = location_of(&started).rsplit('/').next().unwrap().to_owned();
    let other = format!("/v2/localhost:5000/team/app/blobs/uploads/{session}?digest={}", sha256(BLOB));
    assert_eq!(send(&regpass, Method::PUT, LOCAL, &other, BLOB).await.status, 201);
    sim.finish();
}
