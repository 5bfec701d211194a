//! Rules 34 to 36: blobs on their way to the registry.

use bytes::Bytes;
use http::Method;

use super::{World, everyone, registries};
use crate::harness::{Reply, request, with};
use crate::sim::{Entry, Fault, Offers, Preset, Reply as Answer, sha256};

const MIB: usize = 1 << 20;

/// Of which no two pages are alike, near by at least.
fn bytes(length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    for (number, page) in bytes.chunks_mut(4096).enumerate() {
        page.fill(number.to_le_bytes()[0]);
    }
    bytes.into()
}

/// A client's way to send a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// POST and one PUT.
    Put,
    /// POST, one PATCH of unknown length, an empty PUT: docker and podman.
    Stream,
    /// POST, one ranged PATCH after the other of this many bytes, an empty PUT.
    Chunks(usize),
    /// The same, with ranges as HTTP writes them.
    HttpChunks(usize),
    /// POST with the digest.
    Post,
}

async fn sent(world: &World, method: Method, target: &str, body: Bytes, headers: &[(&'static str, &str)]) -> Reply {
    let request = request(method, target).map(|_| body);
    world.regpass.send(headers.iter().fold(request, |request, (name, value)| with(request, name, value))).await
}

/// Sends the blob; what the last request got.
async fn push(world: &World, blob: &Bytes, way: Way) -> Reply {
    let uploads = format!("/v2/{}/blobs/uploads/", world.can.private);
    let digest = sha256(blob);
    if way == Way::Post {
        return sent(world, Method::POST, &format!("{uploads}?digest={digest}"), blob.clone(), &[]).await;
    }
    let begun = world.method(Method::POST, &uploads).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let mut location = begun.header("location").unwrap().to_owned();
    let mut last = Bytes::new();
    match way {
        Way::Put => last = blob.clone(),
        Way::Stream => {
            let reply = sent(world, Method::PATCH, &location, blob.clone(), &[("transfer-encoding", "chunked")]).await;
            assert_eq!(reply.status, 202, "{reply:?}");
            reply.header("location").unwrap().clone_into(&mut location);
        }
        Way::Chunks(size) | Way::HttpChunks(size) => {
            for (number, chunk) in blob.chunks(size).enumerate() {
                let (first, end) = (number * size, number * size + chunk.len() - 1);
                let range = match way {
                    Way::HttpChunks(_) => format!("bytes {first}-{end}/{}", blob.len()),
                    _ => format!("{first}-{end}"),
                };
                let chunk = Bytes::copy_from_slice(chunk);
                let reply = sent(world, Method::PATCH, &location, chunk, &[("content-range", &range)]).await;
                assert_eq!(reply.status, 202, "{way:?} {range}: {reply:?}");
                assert_eq!(reply.header("range"), Some(&*format!("0-{end}")), "{way:?}: how far it is");
                reply.header("location").unwrap().clone_into(&mut location);
            }
        }
        Way::Post => {}
    }
    let joint = if location.contains('?') { '&' } else { '?' };
    sent(world, Method::PUT, &format!("{location}{joint}digest={digest}"), last, &[]).await
}

#[track_caller]
fn assert_stored(world: &World, reply: &Reply, blob: &Bytes, what: &str) {
    assert_eq!(reply.status, 201, "{what}: {reply:?}");
    let digest = sha256(blob);
    let kept = world.registry.store().read(world.can.private, |repository| repository.blobs.get(&digest).cloned());
    assert!(kept.flatten().is_some_and(|kept| kept.slice().to_bytes() == *blob), "{what}: other bytes arrived");
}

#[tokio::test(start_paused = true)]
async fn rule_34_every_way_to_send_a_blob_works_everywhere() {
    for (profile, preset) in registries(&["ghcr", "acr", "ecr", "ecr-public", "google", "artifactory", "gitea"]) {
        let host = preset.host.clone();
        // Above the 4 MiB of GHCR's ranged PATCH; the others have no limit that a small blob would show.
        let size = if profile == "ghcr" { 5 * MIB } else { 100_000 };
        let world = World::of(profile, preset.clone()).await;
        for (number, way) in
            [Way::Put, Way::Stream, Way::Chunks(size), Way::HttpChunks(size / 2), Way::Post].into_iter().enumerate()
        {
            let blob = bytes(size + 7 + number);
            let reply = push(&world, &blob, way).await;
            assert_stored(&world, &reply, &blob, &format!("{host} {way:?}"));
        }
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_34_what_reaches_the_registry_is_within_its_limits() {
    let bodies = |entries: &[Entry], method: Method| -> Vec<u64> {
        entries.iter().filter(|entry| entry.method == method).map(|entry| entry.body_len).collect()
    };
    // GHCR: 4 MiB a ranged PATCH, and one without a range however long it is.
    let world = World::of("ghcr", Preset::ghcr()).await;
    push(&world, &bytes(9 * MIB), Way::Chunks(9 * MIB)).await;
    let entries = world.sim.ledger().take();
    assert!(bodies(&entries, Method::PATCH).iter().all(|length| *length <= 4 << 20), "{entries:?}");
    push(&world, &bytes(5 * MIB), Way::Stream).await;
    assert_eq!(bodies(&world.sim.ledger().take(), Method::PATCH), [5 << 20]);
    // ACR: no PUT above 20 MB.
    let world = World::of("acr", Preset::acr()).await;
    let blob = bytes(21 * MIB);
    assert_stored(&world, &push(&world, &blob, Way::Put).await, &blob, "acr");
    let entries = world.sim.ledger().take();
    assert_eq!((bodies(&entries, Method::PATCH), bodies(&entries, Method::PUT)), (vec![21 << 20], vec![0]));
    // Artifact Registry, and Gitea: one body.
    for (profile, preset) in [("google", Preset::google()), ("gitea", Preset::gitea(Offers::Bearer))] {
        let world = World::of(profile, preset).await;
        push(&world, &bytes(MIB), Way::Chunks(MIB / 4)).await;
        let entries = world.sim.ledger().take();
        let filled = entries.iter().filter(|entry| entry.body_len > 0).count();
        assert_eq!(filled, 1, "{profile}: {entries:?}");
    }
    // Artifactory: POST, PATCH and an empty PUT.
    let world = World::of("artifactory", Preset::artifactory()).await;
    push(&world, &bytes(MIB), Way::Put).await;
    let entries = world.sim.ledger().take();
    assert_eq!((bodies(&entries, Method::PATCH), bodies(&entries, Method::PUT)), (vec![1 << 20], vec![0]));
    // Ranges are of one form, whatever the client's was.
    for (profile, preset) in registries(&["acr", "ecr", "ghcr"]) {
        let world = World::of(profile, preset).await;
        push(&world, &bytes(2 * MIB), Way::HttpChunks(MIB)).await;
        let ranges: Vec<String> = world.sim.ledger().take().iter().filter_map(range).collect();
        assert_eq!(ranges, ["0-1048575", "1048576-2097151"], "{profile}");
    }
}

fn range(entry: &Entry) -> Option<String> {
    Some(entry.headers.get("content-range")?.to_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn rule_35_no_body_leaves_before_its_token_is_there() {
    for (profile, preset) in everyone() {
        if !preset.can.push {
            continue;
        }
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let blob = bytes(1000);
        assert_stored(&world, &push(&world, &blob, Way::Put).await, &blob, &host);
        let put = crate::harness::put(&format!("/v2/{}/manifests/2", world.can.private), &world.image);
        assert_eq!(world.regpass.send(put).await.status, 201, "{host}");
        let entries = world.sim.ledger().take();
        let refused: Vec<&Entry> = entries.iter().filter(|entry| super::is_401(entry)).collect();
        assert!(refused.iter().all(|entry| entry.body_len == 0), "{host}: {refused:?}");
        // Where the name in scopes is another, the POST that starts an upload is the cheap way to find out.
        let most = if host == "artifactory.test" { 2 } else { 1 };
        assert!(refused.len() <= most, "{host}: {refused:?}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_35_what_was_held_is_sent_again_and_what_was_not_is_not() {
    for (profile, preset) in everyone() {
        let expires = preset.can.push && preset.can.shown == crate::sim::Shown::Token;
        if !expires {
            continue;
        }
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        let blob = bytes(1000);
        assert_stored(&world, &push(&world, &blob, Way::Stream).await, &blob, &host);
        world.registry.revoke_tokens();
        let put = crate::harness::put(&format!("/v2/{}/manifests/2", world.can.private), &world.image);
        assert_eq!(world.regpass.send(put).await.status, 201, "{host}: a manifest is held");
        world.registry.revoke_tokens();
        let blob = bytes(2000);
        assert_stored(&world, &push(&world, &blob, Way::Stream).await, &blob, &host);
        world.sim.finish();
    }
    // More than is kept of a body cannot be sent twice: the client is told to.
    let preset = Preset::distribution(crate::sim::Mode::Token);
    let login = super::login(&preset);
    let sim = crate::sim::Sim::memory();
    let registry = sim.start(preset).await;
    registry.furnish("1", &crate::sim::Image::single("app", crate::sim::Family::Oci));
    let text = format!(
        "upload_spool = \"64KiB\"\n{}",
        crate::harness::only(&registry, &format!("{}\n{login}", super::ALL_ACCESS))
    );
    let regpass = crate::harness::Regpass::start(&sim, &text);
    let begun = regpass.send(request(Method::POST, "/v2/acme/private/blobs/uploads/")).await;
    let refusal = registry.invalid_token();
    registry.registry().inject(Fault::answer_mid_upload(1 << 20, refusal).method(Method::PATCH).times(1));
    let patch = request(Method::PATCH, begun.header("location").unwrap()).map(|_| bytes(4 * MIB));
    let reply = regpass.send(with(patch, "transfer-encoding", "chunked")).await;
    assert_eq!((reply.verdict().as_str(), reply.header("retry-after")), ("503 UNAVAILABLE", Some("1")), "{reply:?}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_36_steps_are_good_whichever_success_they_tell() {
    for (profile, preset) in registries(&["ecr", "distribution"]) {
        let host = preset.host.clone();
        for (method, told) in [(Method::POST, 202), (Method::PATCH, 202), (Method::PUT, 201), (Method::DELETE, 204)] {
            for status in [200, 201, 202, 204] {
                let world = World::of(profile, preset.clone()).await;
                let change = move |_: &Entry, mut reply: Answer| {
                    if reply.status.is_success() {
                        reply.status = status.try_into().unwrap();
                    }
                    reply
                };
                world.registry.registry().inject(Fault::alter(change).method(method.clone()));
                let what = format!("{host}: {status} to {method}");
                if method == Method::DELETE {
                    let begun = world.method(Method::POST, &format!("/v2/{}/blobs/uploads/", world.can.private)).await;
                    let reply = world.method(Method::DELETE, begun.header("location").unwrap()).await;
                    assert_eq!(reply.status.as_u16(), told, "{what}");
                } else {
                    let blob = bytes(1000);
                    for way in [Way::Put, Way::Stream, Way::Chunks(400)] {
                        let reply = push(&world, &blob, way).await;
                        assert_stored(&world, &reply, &blob, &format!("{what} {way:?}"));
                        world.registry.store().write(world.can.private, |repository| repository.blobs.clear());
                    }
                }
                world.sim.finish();
            }
        }
    }
}
