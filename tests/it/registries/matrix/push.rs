//! Pushes, in every form that clients use, and mounts.

use bytes::Bytes;
use http::Method;

use super::cell::{Cell, Told};
use super::row::{Login, Row, World};
use crate::harness::{put, with};
use crate::sim::{Blob, Family, Image, LinkForm, Shown, Source};
use crate::stage::{assert_clean, assert_refused};
use crate::uploads::{and, carrying, location};

/// How a client sends a blob.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// POST, a PATCH of unknown length, an empty PUT: docker, podman, skopeo, buildah.
    Streamed,
    /// POST, and the whole blob with the PUT: containerd, oras.
    Whole,
    /// POST with the digest and the whole blob.
    AtOnce,
    /// POST, several times PATCH with a range, an empty PUT: regclient, SDKs.
    Ranged,
}

const FORMS: [Form; 4] = [Form::Streamed, Form::Whole, Form::AtOnce, Form::Ranged];

pub async fn push(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    if !world.can.push {
        return refuse(&world).await;
    }
    let name = world.repository();
    for (number, form) in FORMS.into_iter().enumerate() {
        let layer = Blob::random(number as u64, 300);
        send(&world, name, form, &layer).await;
        assert_has(&world, name, form, &layer);
    }
    let image = Image::single("pushed", Family::Oci);
    publish(&world, name, "2", &image).await;
    let refused = world.sim.ledger().repeated_401s();
    assert!(refused.is_empty(), "refused more than once: {refused:?}");
    let seen = world.seen();
    // `/v2/` does not tell that names are shortened; the first answer of the repository does.
    let shortens = world.registry.preset().lists.tags.link == LinkForm::Unprefixed;
    let tokens = usize::from(world.can.shown == Shown::Token) + usize::from(shortens);
    assert_eq!(seen.tokens(), tokens, "one token for all of it: {seen:?}");
    let pulled = world.get(&world.target("manifests/2")).await;
    assert_eq!((pulled.status.as_u16(), pulled.body == image.top().bytes), (200, true), "{pulled:?}");

    let new = format!("{name}-new");
    let begun = world.method(Method::POST, &format!("/v2/{new}/blobs/uploads/")).await;
    if world.can.creates {
        publish(&world, &new, "1", &image).await;
        return Cell::yes("");
    }
    assert_refused(&begun, "404 NAME_UNKNOWN", &[]);
    Cell::yes("if it exists")
}

/// Pushes an image as docker does; the registry has it then.
async fn publish(world: &World, name: &str, tag: &str, image: &Image) {
    for blob in &image.blobs {
        send(world, name, Form::Streamed, blob).await;
    }
    let reply = world.regpass.send(put(&format!("/v2/{name}/manifests/{tag}"), image)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(image.digest()));
    assert_eq!(reply.header("location"), Some(&*format!("/v2/{name}/manifests/{}", image.digest())));
    assert_clean(&reply);
    let kept = world.registry.store().read(name, |repository| repository.manifest(tag).cloned()).flatten();
    assert_eq!(kept.map(|manifest| manifest.bytes), Some(image.top().bytes.clone()));
}

async fn send(world: &World, name: &str, form: Form, blob: &Blob) {
    let (bytes, nothing) = (blob.slice().to_bytes(), Bytes::new());
    let ended = match form {
        Form::Streamed => {
            let patch = carrying(Method::PATCH, &begin(world, name).await, bytes);
            let target = part(world, form, with(patch, "transfer-encoding", "chunked")).await;
            end(world, &target, nothing, blob).await
        }
        Form::Whole => end(world, &begin(world, name).await, bytes, blob).await,
        Form::AtOnce => {
            let target = format!("/v2/{name}/blobs/uploads/?digest={}", blob.digest);
            let reply = world.regpass.send(carrying(Method::POST, &target, bytes.clone())).await;
            if reply.status == 201 { reply } else { end(world, &location(&reply), bytes, blob).await }
        }
        Form::Ranged => {
            let mut target = begin(world, name).await;
            let middle = bytes.len() / 2;
            for (first, end) in [(0, middle), (middle, bytes.len())] {
                let patch = carrying(Method::PATCH, &target, bytes.slice(first..end));
                target = part(world, form, with(patch, "content-range", &format!("{first}-{}", end - 1))).await;
            }
            end(world, &target, nothing, blob).await
        }
    };
    assert_eq!((ended.status.as_u16(), ended.header("docker-content-digest")), (201, Some(&*blob.digest)), "{form:?}");
    assert_eq!(ended.header("location"), Some(&*format!("/v2/{name}/blobs/{}", blob.digest)), "{form:?}");
    assert_clean(&ended);
}

/// Starts an upload; where it goes on.
async fn begin(world: &World, name: &str) -> String {
    let begun = world.method(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    assert_clean(&begun);
    location(&begun)
}

/// Sends a PATCH; where to go on.
async fn part(world: &World, form: Form, patch: http::Request<Bytes>) -> String {
    let reply = world.regpass.send(patch).await;
    assert_eq!(reply.status, 202, "{form:?}: {reply:?}");
    assert_clean(&reply);
    location(&reply)
}

async fn end(world: &World, target: &str, bytes: Bytes, blob: &Blob) -> crate::harness::Reply {
    world.regpass.send(carrying(Method::PUT, &and(target, &format!("digest={}", blob.digest)), bytes)).await
}

#[track_caller]
fn assert_has(world: &World, name: &str, form: Form, blob: &Blob) {
    let kept = world.registry.store().read(name, |repository| repository.blobs.get(&blob.digest).cloned()).flatten();
    assert_eq!(kept.map(|kept| kept.slice().to_bytes()), Some(blob.slice().to_bytes()), "{form:?}");
}

/// What can't be pushed to says so, to an upload and to a manifest.
async fn refuse(world: &World) -> Cell {
    let begun = world.method(Method::POST, &world.target("blobs/uploads/")).await;
    assert_refused(&begun, "405 UNSUPPORTED", &[]);
    let manifest = world.regpass.send(put(&world.target("manifests/2"), &world.image)).await;
    assert_refused(&manifest, "405 UNSUPPORTED", &[]);
    Cell::refused(world.seen().count())
}

pub async fn mount(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    if !world.can.push {
        return refuse(&world).await;
    }
    let name = world.repository();
    let from = format!("{}-source", world.can.public);
    let blob = Blob::random(7, 300);
    world.registry.publish_blob(&from, &blob);
    let target = world.target(&format!("blobs/uploads/?mount={}&from={from}", blob.digest));
    let reply = world.method(Method::POST, &target).await;
    assert_clean(&reply);
    if world.registry.preset().push.mounts.source == Source::Never {
        assert_eq!(reply.status, 202, "an upload begins instead: {reply:?}");
        let ended = end(&world, &location(&reply), blob.slice().to_bytes(), &blob).await;
        assert_eq!(ended.status, 201, "{ended:?}");
        assert_has(&world, name, Form::Whole, &blob);
        world.seen();
        return Cell::Cannot(Told::Otherwise);
    }
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("location"), Some(&*format!("/v2/{name}/blobs/{}", blob.digest)), "{reply:?}");
    assert_has(&world, name, Form::Whole, &blob);
    world.seen();
    Cell::yes("")
}
