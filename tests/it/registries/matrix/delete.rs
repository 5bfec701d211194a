//! Deletes of tags, manifests and blobs.

use http::Method;

use super::cell::Cell;
use super::pull::requests;
use super::row::{Login, Row, World};
use crate::stage::{assert_clean, assert_refused};

/// A tag can also go with its manifest.
pub async fn tag(row: &Row) -> Cell {
    let can = &row.preset.can;
    let is_there = |world: &World| has(world, "1");
    delete(row, can.delete_tags || can.delete_manifests, |_| "manifests/1".to_owned(), is_there).await
}

pub async fn manifest(row: &Row) -> Cell {
    let is_there = |world: &World| has(world, world.image.digest());
    let target = |world: &World| format!("manifests/{}", world.image.digest());
    delete(row, row.preset.can.delete_manifests, target, is_there).await
}

pub async fn blob(row: &Row) -> Cell {
    let digest = |world: &World| world.image.blobs[0].digest.clone();
    let is_there = |world: &World| {
        let digest = digest(world);
        world.registry.store().read(world.repository(), |repository| repository.blobs.contains_key(&digest)).unwrap()
    };
    delete(row, row.preset.can.delete_blobs, |world| format!("blobs/{}", digest(world)), is_there).await
}

fn has(world: &World, reference: &str) -> bool {
    world.registry.store().read(world.repository(), |repository| repository.manifest(reference).is_some()).unwrap()
}

async fn delete(row: &Row, can: bool, target: impl Fn(&World) -> String, is_there: impl Fn(&World) -> bool) -> Cell {
    let world = row.world(Login::Good).await;
    world.warm().await;
    let reply = world.method(Method::DELETE, &world.target(&target(&world))).await;
    let seen = world.seen();
    if !can {
        assert_refused(&reply, "405 UNSUPPORTED", &[]);
        assert!(is_there(&world), "nothing was deleted");
        return Cell::refused(seen.count());
    }
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_clean(&reply);
    assert!(!is_there(&world), "it is gone");
    let without_tokens = seen.count() - seen.tokens();
    assert!(seen.tokens() <= 1 && without_tokens <= 2, "{seen:?}");
    Cell::yes(if without_tokens == 1 { String::new() } else { requests(without_tokens) })
}
