//! Pulls: a manifest by tag and by digest, a blob whole, by HEAD and in part.

use http::Method;

use super::cell::{Cell, Told};
use super::row::{Login, Row, World};
use crate::harness::{request, with};
use crate::sim::{Delivery, Shown};
use crate::stage::{assert_clean, assert_refused};

pub async fn anonymous(row: &Row) -> Cell {
    let world = row.world(Login::None).await;
    let name = world.can.public;
    if world.can.anonymous {
        return pull(&world, name, Shown::Nothing).await;
    }
    let reply = world.get(&format!("/v2/{name}/manifests/1")).await;
    assert_refused(&reply, "403 DENIED", &["login"]);
    let requests = world.seen().count();
    assert!(requests <= 2, "a challenge, and no more than one look for a better one: {requests}");
    Cell::refused(requests)
}

pub async fn with_login(row: &Row) -> Cell {
    if row.preset.can.login.is_none() {
        // A login that nobody asks for is shown to nobody.
        let world = row.world(Login::Wrong).await;
        pull(&world, world.can.public, Shown::Nothing).await;
        return Cell::Cannot(Told::Never);
    }
    let world = row.world(Login::Good).await;
    let shown = world.can.shown;
    pull(&world, world.can.private, shown).await
}

/// A cold manifest by tag, then a warm one by digest and a warm blob; the requests that each took.
async fn pull(world: &World, name: &str, shown: Shown) -> Cell {
    let manifest = world.get(&format!("/v2/{name}/manifests/1")).await;
    assert_manifest(world, &manifest);
    let cold = world.seen();
    let (most, tokens) = match shown {
        Shown::Token => (3, 1),
        Shown::Basic => (2, 0),
        // Who may read without a login may have to fetch a token all the same.
        Shown::Nothing => (if cold.tokens() == 0 { 1 } else { 3 }, cold.tokens().min(1)),
    };
    assert!(cold.count() - cold.hops() <= most, "challenge, token, request: {cold:?}");
    assert_eq!(cold.tokens(), tokens, "{cold:?}");

    let manifest = world.get(&format!("/v2/{name}/manifests/{}", world.image.digest())).await;
    assert_manifest(world, &manifest);
    let warm = world.seen();
    warm.assert_warm();

    let blob = &world.image.blobs[0];
    let got = world.get(&format!("/v2/{name}/blobs/{}", blob.digest)).await;
    assert_eq!((got.status.as_u16(), got.body == blob.slice().to_bytes()), (200, true), "{got:?}");
    assert_eq!(got.header("docker-content-digest"), Some(&*blob.digest), "{got:?}");
    assert_clean(&got);
    let bytes = world.seen();
    bytes.assert_warm();
    assert_eq!(bytes.hops(), hops(world), "{bytes:?}");
    Cell::yes(format!("{}, {}, {}", cold.count(), warm.count(), bytes.count()))
}

#[track_caller]
fn assert_manifest(world: &World, reply: &crate::harness::Reply) {
    let top = world.image.top();
    assert_eq!((reply.status.as_u16(), reply.body == top.bytes), (200, true), "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(&*top.digest), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some(&*top.media_type), "{reply:?}");
    assert_clean(reply);
}

/// How many redirects lead to a blob.
fn hops(world: &World) -> usize {
    match &world.registry.preset().pull.blobs {
        Delivery::Direct => 0,
        Delivery::Redirect { hops, .. } => hops.len(),
    }
}

pub async fn head(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    world.warm().await;
    let blob = &world.image.blobs[0];
    let reply = world.method(Method::HEAD, &world.target(&format!("blobs/{}", blob.digest))).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{reply:?}");
    assert_eq!(reply.header("content-length"), Some(&*blob.len().to_string()), "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(&*blob.digest), "{reply:?}");
    assert_clean(&reply);
    let seen = world.seen();
    seen.assert_warm();
    assert_eq!(seen.hops(), if world.registry.preset().pull.heads_stay { 0 } else { hops(&world) }, "{seen:?}");
    let missing = format!("blobs/sha256:{}", "0".repeat(64));
    let absent = world.method(Method::HEAD, &world.target(&missing)).await;
    assert_eq!((absent.status.as_u16(), absent.body.len()), (404, 0), "pushers look for blobs: {absent:?}");
    Cell::yes(requests(seen.count()))
}

pub async fn range(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    world.warm().await;
    let blob = &world.image.blobs[0];
    let ask = request(Method::GET, &world.target(&format!("blobs/{}", blob.digest)));
    let reply = world.regpass.send(with(ask, "range", "bytes=3-9")).await;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (206, &blob.slice().to_bytes()[3..10]), "{reply:?}");
    assert_eq!(reply.header("content-range"), Some(&*format!("bytes 3-9/{}", blob.len())), "{reply:?}");
    assert_clean(&reply);
    let seen = world.seen();
    seen.assert_warm();
    assert_eq!(seen.hops(), hops(&world), "{seen:?}");
    Cell::yes(requests(seen.count()))
}

/// `1 request`, `2 requests`
pub fn requests(count: usize) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}
