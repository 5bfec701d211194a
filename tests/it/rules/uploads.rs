//! Pushes of blobs.
//!
//! - Rule 34: send bodies within the registry's limits: GHCR 4 MiB in a ranged PATCH, ACR 20 MB in a PUT, Artifact
//!   Registry and Gitea one body, Artifactory PATCH and empty PUT; ECR answers a PATCH with 201; `Content-Range` without
//!   `bytes`.
//! - Rule 35: get the token before sending a body, and replay only bodies that are kept completely.
//! - Rule 36: accept 200, 201, 202 and 204 for every upload request.

use bytes::Bytes;
use http::Method;

use super::{for_each, push_registries, registries_of};
use crate::harness::{Reply, request, with_header};
use crate::registry_setup::{ALLOW_ALL, RegistrySetup, preset_credential};
use crate::sim::{
    AuthKind, AuthMode, Entry, Fault, GiteaChallenge, Image, ImageFormat, Preset, Reply as Answer, sha256,
};
use crate::uploads::{location_of, with_digest};

const MIB: usize = 1 << 20;

/// Bytes in which neighbouring pages differ, so that swapped parts are noticed.
fn paged_bytes(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    for (number, page) in bytes.chunks_mut(4096).enumerate() {
        page.fill(number.to_le_bytes()[0]);
    }
    bytes.into()
}

/// The requests by which a client sends a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PushSequence {
    /// POST, and the whole blob with the PUT.
    Put,
    /// POST, one PATCH of unknown length, an empty PUT: docker and podman.
    Stream,
    /// POST, PATCH requests of this many bytes with a range, an empty PUT.
    Chunks(usize),
    /// As `Chunks`, with ranges in HTTP's form: `bytes 0-9/20`.
    HttpChunks(usize),
    /// POST with the digest and the whole blob.
    Post,
}

async fn send_body(
    setup: &RegistrySetup,
    method: Method,
    target: &str,
    body: Bytes,
    headers: &[(&'static str, &str)],
) -> Reply {
    let request = request(method, target).map(|_| body);
    setup.regpass.send(headers.iter().fold(request, |request, (name, value)| with_header(request, name, value))).await
}

/// Pushes the blob and returns the response to the last request.
async fn push(setup: &RegistrySetup, blob: &Bytes, sequence: PushSequence) -> Reply {
    let uploads = setup.private_uploads();
    if sequence == PushSequence::Post {
        return send_body(setup, Method::POST, &with_digest(&uploads, blob), blob.clone(), &[]).await;
    }
    let started = setup.send(Method::POST, &uploads).await;
    assert_eq!(started.status, 202, "{started:?}");
    let mut location = location_of(&started);
    let mut last = Bytes::new();
    match sequence {
        PushSequence::Put => last = blob.clone(),
        PushSequence::Stream => {
            let reply =
                send_body(setup, Method::PATCH, &location, blob.clone(), &[("transfer-encoding", "chunked")]).await;
            assert_eq!(reply.status, 202, "{reply:?}");
            location = location_of(&reply);
        }
        PushSequence::Chunks(size) | PushSequence::HttpChunks(size) => {
            for (number, chunk) in blob.chunks(size).enumerate() {
                let (first, end) = (number * size, number * size + chunk.len() - 1);
                let range = match sequence {
                    PushSequence::HttpChunks(_) => format!("bytes {first}-{end}/{}", blob.len()),
                    _ => format!("{first}-{end}"),
                };
                let chunk = Bytes::copy_from_slice(chunk);
                let reply = send_body(setup, Method::PATCH, &location, chunk, &[("content-range", &range)]).await;
                assert_eq!(reply.status, 202, "{sequence:?} {range}: {reply:?}");
                assert_eq!(reply.header("range"), Some(&*format!("0-{end}")), "{sequence:?}");
                location = location_of(&reply);
            }
        }
        PushSequence::Post => {}
    }
    send_body(setup, Method::PUT, &with_digest(&location, blob), last, &[]).await
}

#[track_caller]
fn assert_stored(setup: &RegistrySetup, reply: &Reply, blob: &Bytes, case: &str) {
    assert_eq!(reply.status, 201, "{case}: {reply:?}");
    let digest = sha256(blob);
    let stored =
        setup.registry.store().read(setup.private_repository(), |repository| repository.blobs.get(&digest).cloned());
    assert!(
        stored.flatten().is_some_and(|stored| stored.slice().to_bytes() == *blob),
        "{case}: the registry has other bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_34_every_sequence_of_upload_requests_works() {
    for (profile, preset) in registries_of(&["ghcr", "acr", "ecr", "ecr-public", "google", "artifactory", "gitea"]) {
        let host = preset.host.clone();
        // Above the 4 MiB of GHCR's ranged PATCH; the others have no limit that a small blob would show.
        let size = if profile == "ghcr" { 5 * MIB } else { 100_000 };
        let setup = RegistrySetup::with_profile(profile, preset.clone()).await;
        for (number, sequence) in [
            PushSequence::Put,
            PushSequence::Stream,
            PushSequence::Chunks(size),
            PushSequence::HttpChunks(size / 2),
            PushSequence::Post,
        ]
        .into_iter()
        .enumerate()
        {
            let blob = paged_bytes(size + 7 + number);
            let reply = push(&setup, &blob, sequence).await;
            assert_stored(&setup, &reply, &blob, &format!("{host} {sequence:?}"));
        }
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_34_requests_to_the_registry_are_within_its_limits() {
    let bodies = |entries: &[Entry], method: Method| -> Vec<u64> {
        entries.iter().filter(|entry| entry.method == method).map(|entry| entry.body_len).collect()
    };
    // GHCR: 4 MiB in a ranged PATCH, any length in one without a range.
    let setup = RegistrySetup::with_profile("ghcr", Preset::ghcr()).await;
    push(&setup, &paged_bytes(9 * MIB), PushSequence::Chunks(9 * MIB)).await;
    let entries = setup.sim.ledger().take();
    assert!(bodies(&entries, Method::PATCH).iter().all(|length| *length <= 4 << 20), "{entries:?}");
    push(&setup, &paged_bytes(5 * MIB), PushSequence::Stream).await;
    assert_eq!(bodies(&setup.sim.ledger().take(), Method::PATCH), [5 << 20]);
    // ACR: a PUT of at most 20 MB.
    let setup = RegistrySetup::with_profile("acr", Preset::acr()).await;
    let blob = paged_bytes(21 * MIB);
    assert_stored(&setup, &push(&setup, &blob, PushSequence::Put).await, &blob, "acr");
    let entries = setup.sim.ledger().take();
    assert_eq!((bodies(&entries, Method::PATCH), bodies(&entries, Method::PUT)), (vec![21 << 20], vec![0]));
    // Artifact Registry, and Gitea: one body.
    for (profile, preset) in [("google", Preset::google()), ("gitea", Preset::gitea(GiteaChallenge::Bearer))] {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        push(&setup, &paged_bytes(MIB), PushSequence::Chunks(MIB / 4)).await;
        let entries = setup.sim.ledger().take();
        let filled = entries.iter().filter(|entry| entry.body_len > 0).count();
        assert_eq!(filled, 1, "{profile}: {entries:?}");
    }
    // Artifactory: POST, PATCH and an empty PUT.
    let setup = RegistrySetup::with_profile("artifactory", Preset::artifactory()).await;
    push(&setup, &paged_bytes(MIB), PushSequence::Put).await;
    let entries = setup.sim.ledger().take();
    assert_eq!((bodies(&entries, Method::PATCH), bodies(&entries, Method::PUT)), (vec![1 << 20], vec![0]));
    // Ranges are in the specification's form, also if the client's was HTTP's.
    for (profile, preset) in registries_of(&["acr", "ecr", "ghcr"]) {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        push(&setup, &paged_bytes(2 * MIB), PushSequence::HttpChunks(MIB)).await;
        let ranges: Vec<String> = setup.sim.ledger().take().iter().filter_map(range).collect();
        assert_eq!(ranges, ["0-1048575", "1048576-2097151"], "{profile}");
    }
}

fn range(entry: &Entry) -> Option<String> {
    Some(entry.headers.get("content-range")?.to_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn rule_35_no_body_is_sent_without_a_token() {
    for_each(push_registries(), async |host, setup| {
        let blob = paged_bytes(1000);
        assert_stored(setup, &push(setup, &blob, PushSequence::Put).await, &blob, host);
        assert_eq!(setup.push_manifest().await.status, 201, "{host}");
        let entries = setup.sim.ledger().take();
        let unauthorized: Vec<&Entry> = entries.iter().filter(|entry| super::is_401(entry)).collect();
        assert!(unauthorized.iter().all(|entry| entry.body_len == 0), "{host}: {unauthorized:?}");
        // If scopes have another name than the path, the POST that starts the upload reveals it without a body.
        let max = if host == "artifactory.test" { 2 } else { 1 };
        assert!(unauthorized.len() <= max, "{host}: {unauthorized:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_35_a_kept_body_is_replayed_and_a_longer_one_is_a_503() {
    let is_token_registry = |preset: &Preset| preset.capabilities.auth_kind == AuthKind::Token;
    let registries = push_registries().into_iter().filter(|(_, preset)| is_token_registry(preset));
    for_each(registries.collect(), async |host, setup| {
        let blob = paged_bytes(1000);
        assert_stored(setup, &push(setup, &blob, PushSequence::Stream).await, &blob, host);
        setup.registry.revoke_tokens();
        assert_eq!(setup.push_manifest().await.status, 201, "{host}: the manifest is replayed");
        setup.registry.revoke_tokens();
        let blob = paged_bytes(2000);
        assert_stored(setup, &push(setup, &blob, PushSequence::Stream).await, &blob, host);
    })
    .await;
    // A body longer than `upload_spool` cannot be sent twice: the client has to send it again.
    let preset = Preset::distribution(AuthMode::Token);
    let table = format!("{ALLOW_ALL}\n{}", preset_credential(&preset));
    let image = Image::single("app", ImageFormat::Oci);
    let setup = RegistrySetup::start_with("upload_spool = \"64KiB\"", preset, image, &table).await;
    let started = setup.send(Method::POST, &setup.private_uploads()).await;
    let rejection = setup.registry.invalid_token_reply();
    setup.registry.api().inject(Fault::answer_mid_upload(1 << 20, rejection).method(Method::PATCH).times(1));
    let chunked = [("transfer-encoding", "chunked")];
    let reply = send_body(&setup, Method::PATCH, &location_of(&started), paged_bytes(4 * MIB), &chunked).await;
    assert_eq!(
        (reply.status_and_code().as_str(), reply.header("retry-after")),
        ("503 UNAVAILABLE", Some("1")),
        "{reply:?}"
    );
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_36_every_success_status_is_accepted_for_an_upload_request() {
    for (profile, preset) in registries_of(&["ecr", "distribution"]) {
        let host = preset.host.clone();
        for (method, expected) in [(Method::POST, 202), (Method::PATCH, 202), (Method::PUT, 201), (Method::DELETE, 204)]
        {
            for status in [200, 201, 202, 204] {
                let setup = RegistrySetup::with_profile(profile, preset.clone()).await;
                let change = move |_: &Entry, mut reply: Answer| {
                    if reply.status.is_success() {
                        reply.status = status.try_into().unwrap();
                    }
                    reply
                };
                setup.registry.api().inject(Fault::alter(change).method(method.clone()));
                let case = format!("{host}: {status} to {method}");
                if method == Method::DELETE {
                    let started = setup.send(Method::POST, &setup.private_uploads()).await;
                    let reply = setup.send(Method::DELETE, started.header("location").unwrap()).await;
                    assert_eq!(reply.status.as_u16(), expected, "{case}");
                } else {
                    let blob = paged_bytes(1000);
                    for sequence in [PushSequence::Put, PushSequence::Stream, PushSequence::Chunks(400)] {
                        let reply = push(&setup, &blob, sequence).await;
                        assert_stored(&setup, &reply, &blob, &format!("{case} {sequence:?}"));
                        setup.registry.store().write(setup.private_repository(), |repository| repository.blobs.clear());
                    }
                }
                setup.sim.finish();
            }
        }
    }
}
