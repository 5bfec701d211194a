//! Wrong passwords, and repositories that are not there.

use http::Method;

use super::cell::{Cell, Told};
use super::row::{Login, Row, World};
use crate::harness::Reply;
use crate::stage::{assert_clean, assert_refused};

/// What is public is pulled all the same, visibly; the rest is refused.
pub async fn wrong_password(row: &Row) -> Cell {
    let world = row.world(Login::Wrong).await;
    let public = world.get(&format!("/v2/{}/manifests/1", world.can.public)).await;
    if world.can.login.is_none() {
        assert_eq!(public.status, 200, "{public:?}");
        world.seen();
        return Cell::Cannot(Told::Never);
    }
    let tried = world.sim.ledger().entries().iter().any(|entry| {
        let refused = entry.status.is_some_and(|status| status.is_client_error());
        refused && entry.authorization.to_string() != "anonymous"
    });
    if world.can.anonymous {
        assert_eq!(public.status, 200, "{public:?}");
        assert_eq!(public.grant().starts_with("login rejected"), tried, "it shows: {public:?}");
    } else {
        assert_refused(&public, "403 DENIED", &["login"]);
    }
    assert_clean(&public);
    let private = world.get(&world.target("manifests/1")).await;
    assert_denied(&world, &private);
    if world.can.push {
        world.sim.ledger().take();
        let push = world.method(Method::POST, &world.target("blobs/uploads/")).await;
        assert_denied(&world, &push);
        let anonymous = world.sim.ledger().count("registry", |entry| entry.method == Method::POST);
        assert!(anonymous <= 1, "no write is tried again without the login");
    }
    world.seen();
    Cell::yes(if world.can.anonymous { "public only" } else { "refused" })
}

/// It names the registry and the place where the login stands, whatever words the registry has for it.
#[track_caller]
fn assert_denied(world: &World, reply: &Reply) {
    assert_refused(reply, "403 DENIED", &["in the configuration"]);
    assert_eq!(reply.json()["errors"][0]["detail"]["registry"], world.registry.authority(), "{reply:?}");
}

/// With and without a login: an error that a client knows what to do with.
pub async fn missing(row: &Row) -> Cell {
    let mut verdicts = Vec::new();
    for login in [Login::None, Login::Good] {
        let world = row.world(login).await;
        let name = format!("{}-missing", world.repository());
        let manifest = world.get(&format!("/v2/{name}/manifests/1")).await;
        assert_missing(&manifest, &["404 MANIFEST_UNKNOWN", "404 NAME_UNKNOWN", "403 DENIED"]);
        let tags = world.get(&format!("/v2/{name}/tags/list")).await;
        assert_missing(&tags, &["404 NAME_UNKNOWN", "403 DENIED"]);
        let head = world.method(Method::HEAD, &format!("/v2/{name}/manifests/1")).await;
        assert_eq!((head.status, head.body.len()), (manifest.status, 0), "{head:?}");
        world.seen();
        verdicts.push(manifest.status.as_u16().to_string());
    }
    verdicts.dedup();
    Cell::yes(verdicts.join(", "))
}

#[track_caller]
fn assert_missing(reply: &Reply, verdicts: &[&str]) {
    assert_clean(reply);
    let verdict = reply.verdict();
    assert!(verdicts.contains(&&*verdict), "{verdict}: {reply:?}");
}
