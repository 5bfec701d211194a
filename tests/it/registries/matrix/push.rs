//! Pushes in all sequences of requests that clients use, and mounts.

use bytes::Bytes;
use http::Method;

use super::outcome::{Outcome, Rejection};
use super::row::{Credential, Row};
use crate::harness::{manifest_put, with_header};
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::registry_setup::RegistrySetup;
use crate::sim::{AuthKind, Blob, Image, ImageFormat, LinkForm, MountSource};
use crate::uploads::{location_of, request_with_body, with_query};

/// The requests by which a client sends a blob.
#[derive(Clone, Copy, Debug)]
enum PushSequence {
    /// POST, a PATCH of unknown length, an empty PUT: docker, podman, skopeo, buildah.
    Streamed,
    /// POST, and the whole blob with the PUT: containerd, oras.
    Whole,
    /// POST with the digest and the whole blob.
    AtOnce,
    /// POST, PATCH requests with a range, an empty PUT: regclient, SDKs.
    Ranged,
}

const SEQUENCES: [PushSequence; 4] =
    [PushSequence::Streamed, PushSequence::Whole, PushSequence::AtOnce, PushSequence::Ranged];

pub async fn push(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    if !setup.capabilities.push {
        return assert_push_rejected(&setup).await;
    }
    let name = setup.private_repository();
    for (number, sequence) in SEQUENCES.into_iter().enumerate() {
        let layer = Blob::random(number as u64, 300);
        push_blob(&setup, name, sequence, &layer).await;
        assert_has(&setup, name, sequence, &layer);
    }
    let image = Image::single("pushed", ImageFormat::Oci);
    push_image(&setup, name, "2", &image).await;
    let rejected = setup.sim.ledger().repeated_401s();
    assert!(rejected.is_empty(), "more than one 401 for the same kind of access: {rejected:?}");
    let requests = setup.take_requests();
    // Only the repository's challenge, not that of `/v2/`, shows that scopes omit the first component of the path.
    let omits_component = setup.registry.preset().lists.tags.link == LinkForm::WithoutFirstComponent;
    let tokens = usize::from(setup.capabilities.auth_kind == AuthKind::Token) + usize::from(omits_component);
    assert_eq!(requests.token_calls(), tokens, "one token for all requests: {requests:?}");
    let pulled = setup.get(&setup.private_path("manifests/2")).await;
    assert_eq!((pulled.status.as_u16(), pulled.body == image.top().bytes), (200, true), "{pulled:?}");

    let new = format!("{name}-new");
    let started = setup.send(Method::POST, &format!("/v2/{new}/blobs/uploads/")).await;
    if setup.capabilities.push_creates_repository {
        push_image(&setup, &new, "1", &image).await;
        return Outcome::works("");
    }
    assert_rejected(&started, "404 NAME_UNKNOWN", &[]);
    Outcome::works("if it exists")
}

/// Pushes an image as docker does, and asserts that the registry has it.
async fn push_image(setup: &RegistrySetup, name: &str, tag: &str, image: &Image) {
    for blob in &image.blobs {
        push_blob(setup, name, PushSequence::Streamed, blob).await;
    }
    let reply = setup.regpass.send(manifest_put(&format!("/v2/{name}/manifests/{tag}"), image)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), Some(image.digest()));
    assert_eq!(reply.header("location"), Some(&*format!("/v2/{name}/manifests/{}", image.digest())));
    assert_no_upstream_headers(&reply);
    let stored = setup.registry.store().read(name, |repository| repository.manifest(tag).cloned()).flatten();
    assert_eq!(stored.map(|manifest| manifest.bytes), Some(image.top().bytes.clone()));
}

async fn push_blob(setup: &RegistrySetup, name: &str, sequence: PushSequence, blob: &Blob) {
    let (bytes, nothing) = (blob.slice().to_bytes(), Bytes::new());
    let finished = match sequence {
        PushSequence::Streamed => {
            let patch = request_with_body(Method::PATCH, &start_upload(setup, name).await, bytes);
            let target = send_patch(setup, sequence, with_header(patch, "transfer-encoding", "chunked")).await;
            finish_upload(setup, &target, nothing, blob).await
        }
        PushSequence::Whole => finish_upload(setup, &start_upload(setup, name).await, bytes, blob).await,
        PushSequence::AtOnce => {
            let target = format!("/v2/{name}/blobs/uploads/?digest={}", blob.digest);
            let reply = setup.regpass.send(request_with_body(Method::POST, &target, bytes.clone())).await;
            if reply.status == 201 { reply } else { finish_upload(setup, &location_of(&reply), bytes, blob).await }
        }
        PushSequence::Ranged => {
            let mut target = start_upload(setup, name).await;
            let middle = bytes.len() / 2;
            for (first, end) in [(0, middle), (middle, bytes.len())] {
                let patch = request_with_body(Method::PATCH, &target, bytes.slice(first..end));
                target =
                    send_patch(setup, sequence, with_header(patch, "content-range", &format!("{first}-{}", end - 1)))
                        .await;
            }
            finish_upload(setup, &target, nothing, blob).await
        }
    };
    assert_eq!(
        (finished.status.as_u16(), finished.header("docker-content-digest")),
        (201, Some(&*blob.digest)),
        "{sequence:?}"
    );
    assert_eq!(finished.header("location"), Some(&*format!("/v2/{name}/blobs/{}", blob.digest)), "{sequence:?}");
    assert_no_upstream_headers(&finished);
}

/// Starts an upload and returns its location.
async fn start_upload(setup: &RegistrySetup, name: &str) -> String {
    let started = setup.send(Method::POST, &format!("/v2/{name}/blobs/uploads/")).await;
    assert_eq!(started.status, 202, "{started:?}");
    assert_no_upstream_headers(&started);
    location_of(&started)
}

/// Sends a PATCH and returns the next location.
async fn send_patch(setup: &RegistrySetup, sequence: PushSequence, patch: http::Request<Bytes>) -> String {
    let reply = setup.regpass.send(patch).await;
    assert_eq!(reply.status, 202, "{sequence:?}: {reply:?}");
    assert_no_upstream_headers(&reply);
    location_of(&reply)
}

async fn finish_upload(setup: &RegistrySetup, target: &str, bytes: Bytes, blob: &Blob) -> crate::harness::Reply {
    setup
        .regpass
        .send(request_with_body(Method::PUT, &with_query(target, &format!("digest={}", blob.digest)), bytes))
        .await
}

#[track_caller]
fn assert_has(setup: &RegistrySetup, name: &str, sequence: PushSequence, blob: &Blob) {
    let stored = setup.registry.store().read(name, |repository| repository.blobs.get(&blob.digest).cloned()).flatten();
    assert_eq!(stored.map(|stored| stored.slice().to_bytes()), Some(blob.slice().to_bytes()), "{sequence:?}");
}

/// Asserts a 405 for the start of an upload and for a manifest.
async fn assert_push_rejected(setup: &RegistrySetup) -> Outcome {
    let started = setup.send(Method::POST, &setup.private_uploads()).await;
    assert_rejected(&started, "405 UNSUPPORTED", &[]);
    let manifest = setup.regpass.send(manifest_put(&setup.private_path("manifests/2"), &setup.image)).await;
    assert_rejected(&manifest, "405 UNSUPPORTED", &[]);
    Outcome::rejected_after(setup.take_requests().count())
}

pub async fn mount(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    if !setup.capabilities.push {
        return assert_push_rejected(&setup).await;
    }
    let name = setup.private_repository();
    let from = format!("{}-source", setup.public_repository());
    let blob = Blob::random(7, 300);
    // Some registries mount a blob only once a manifest refers to it.
    setup.registry.publish(&from, "1", &Image::with_layers("source", ImageFormat::Oci, std::slice::from_ref(&blob)));
    let target = setup.private_path(&format!("blobs/uploads/?mount={}&from={from}", blob.digest));
    let reply = setup.send(Method::POST, &target).await;
    assert_no_upstream_headers(&reply);
    if setup.registry.preset().push.mounts.source == MountSource::Never {
        assert_eq!(reply.status, 202, "the mount does not start an upload: {reply:?}");
        let finished = finish_upload(&setup, &location_of(&reply), blob.slice().to_bytes(), &blob).await;
        assert_eq!(finished.status, 201, "{finished:?}");
        assert_has(&setup, name, PushSequence::Whole, &blob);
        setup.take_requests();
        return Outcome::Unsupported(Rejection::Replaced);
    }
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("location"), Some(&*format!("/v2/{name}/blobs/{}", blob.digest)), "{reply:?}");
    assert_has(&setup, name, PushSequence::Whole, &blob);
    setup.take_requests();
    Outcome::works("")
}
