//! Pushes of blobs and manifests: every way clients send them, to every way registries accept them.

mod body_lengths;
mod chunk_order;
pub mod clients;
mod expect_continue;
mod grants;
mod interruptions;
mod location_encryption;
mod location_forms;
mod manifests;
mod mounts;
mod parallel;
mod permissions;
mod profiles;
mod registry_names;
mod replayed_bodies;
mod request_sequences;
mod single_post;
mod slow_transfers;
mod status_and_cancel;
mod tokens;
mod upload_hosts;

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, request, single_registry_config, with_header};
use crate::sim::{AuthMode, Blob, Entry, Framing, Preset, Registry, Sim, sha256};

/// A registry, and regpass in front of it with a credential that may push.
pub struct PushSetup {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
}

/// The lines of the registry's table in every setup: all operations allowed, and alice's credential.
const PUSHER: &str = "allow = [\"pull\", \"push\", \"delete\"]\n\
    credential = { source = \"password\", username = \"alice\", password = \"alices password\" }";

impl PushSetup {
    /// Starts a registry and regpass. `more` is added to the registry's table.
    pub async fn start(preset: Preset, more: &str) -> Self {
        Box::pin(Self::start_with("", preset, more)).await
    }

    /// As [`start`](Self::start), with `top` before all tables of the configuration.
    pub async fn start_with(top: &str, preset: Preset, more: &str) -> Self {
        let sim = Sim::memory();
        let registry = Box::pin(Self::start_registry(&sim, preset)).await;
        let regpass = Regpass::start(&sim, &Self::config_text(top, &registry, more));
        Self { sim, registry, regpass }
    }

    /// A registry that needs tokens, with an upload to `team/app` started, and the upload's location.
    pub async fn with_upload() -> (Self, String) {
        let setup = Self::start(token_registry(), "").await;
        let target = setup.start_upload("team/app").await;
        (setup, target)
    }

    /// Starts a registry, another one on the same network, and regpass with the configuration that `text` makes for both.
    pub async fn start_beside(
        preset: Preset,
        other: Preset,
        text: impl FnOnce(&Registry, &Registry) -> String,
    ) -> (Self, Registry) {
        let sim = Sim::memory();
        let registry = Box::pin(Self::start_registry(&sim, preset)).await;
        let other = Box::pin(Self::start_registry(&sim, other)).await;
        let regpass = Regpass::start(&sim, &text(&registry, &other));
        (Self { sim, registry, regpass }, other)
    }

    /// Starts a registry that has alice as a user.
    async fn start_registry(sim: &Sim, preset: Preset) -> Registry {
        let registry = Box::pin(sim.start(preset)).await;
        registry.add_user("alice", "alices password");
        registry
    }

    /// The configuration of a setup.
    pub fn config_text(top: &str, registry: &Registry, more: &str) -> String {
        format!("{top}\n{}", single_registry_config(registry, &format!("{PUSHER}\n{more}")))
    }

    pub async fn send(&self, method: Method, target: &str, body: impl Into<Bytes>) -> Reply {
        self.regpass.send(request_with_body(method, target, body)).await
    }

    /// Starts an upload and returns its location.
    pub async fn start_upload(&self, repository: &str) -> String {
        let reply = self.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), "").await;
        assert_eq!(reply.status, 202, "{reply:?}");
        location_of(&reply)
    }

    /// Sends `body` as one PATCH, with a `Content-Range` if there is one, and returns the next location.
    pub async fn patch(&self, target: &str, body: impl Into<Bytes>, range: Option<&str>) -> String {
        let body = body.into();
        let patch = match range {
            Some(range) => ranged_patch(target, body, range),
            None => request_with_body(Method::PATCH, target, body),
        };
        let reply = self.regpass.send(patch).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        location_of(&reply)
    }

    /// Finishes the upload of `blob` with a PUT whose body is its last part.
    pub async fn finish_upload(&self, target: &str, last_part: impl Into<Bytes>, blob: &[u8]) {
        let reply = self.send(Method::PUT, &with_digest(target, blob), last_part).await;
        self.assert_created(&reply, blob);
    }

    /// Asserts that the registry has the blob in `team/app`, and that the reply is a 201 in regpass's own form.
    #[track_caller]
    pub fn assert_created(&self, reply: &Reply, blob: &[u8]) {
        let digest = sha256(blob);
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
        assert_eq!(reply.header("location"), Some(&*format!("/v2/team/app/blobs/{digest}")));
        assert_eq!(reply.header("content-length"), Some("0"));
        self.assert_registry_has("team/app", blob);
    }

    /// Asserts that the registry has the blob, byte for byte.
    #[track_caller]
    pub fn assert_registry_has(&self, repository: &str, blob: &[u8]) {
        let digest = sha256(blob);
        let stored = self.registry.store().read(repository, |repository| repository.blobs.get(&digest).cloned());
        let stored = stored.flatten().unwrap_or_else(|| panic!("{repository} lacks {digest}")).slice().to_bytes();
        assert!(stored == blob, "{repository} has other bytes as {digest}");
    }

    /// Asserts that `team/app` has no blob.
    #[track_caller]
    pub fn assert_no_blob(&self) {
        let blobs = self.registry.store().read("team/app", |repository| repository.blobs.len());
        assert_eq!(blobs.unwrap_or(0), 0, "blobs in team/app");
    }

    /// Asserts that exactly these requests have reached the simulated servers since the ledger was emptied, and empties it.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }

    /// Asserts that regpass rejects the request with this status and code, without sending anything to the registry.
    pub async fn assert_rejected_by_regpass(&self, request: Request<Bytes>, status_and_code: &str, case: &str) {
        assert_eq!(self.regpass.send(request).await.status_and_code(), status_and_code, "{case}");
        self.expect(&[]);
    }

    /// Asserts that the only 401 so far was the one from which regpass learned the challenge.
    #[track_caller]
    pub fn assert_one_challenge(&self, case: &str) {
        let lines = self.sim.ledger().lines().into_iter();
        let unauthorized: Vec<_> = lines.filter(|line| line.ends_with(" 401")).collect();
        assert_eq!(unauthorized, ["registry GET /v2/ anonymous 401"], "{case}");
    }

    /// Removes all earlier requests from the ledger.
    pub fn clear_ledger(&self) {
        self.sim.ledger().take();
    }

    /// Makes regpass learn the challenge and fetch the token for pushes to `team/app`, and empties the ledger.
    pub async fn warm(&self) {
        self.start_upload("team/app").await;
        self.clear_ledger();
    }
}

/// A registry that needs tokens and accepts every way to push, as most registries do.
pub fn token_registry() -> Preset {
    Preset::distribution(AuthMode::Token)
}

/// The path at which uploads to `team/app` start.
pub const UPLOADS: &str = "/v2/team/app/blobs/uploads/";

/// The requests that reached the registry with method, framing, and bytes received: `PATCH chunked, 30 complete`.
pub fn received_bodies(sim: &Sim) -> Vec<String> {
    let describe = |entry: &Entry| {
        let framing = match entry.framing {
            Framing::None => "none".to_owned(),
            Framing::Length(length) => format!("length {length}"),
            Framing::Chunked => "chunked".to_owned(),
        };
        let complete = if entry.body_complete { "complete" } else { "incomplete" };
        format!("{} {framing}, {} {complete}", entry.method, entry.body_len)
    };
    sim.ledger().entries().iter().filter(|entry| entry.server == "registry").map(describe).collect()
}

/// Incompressible bytes, the same ones for the same length.
pub fn random_bytes(length: usize) -> Bytes {
    Blob::random(length as u64, length).slice().to_bytes()
}

pub fn request_with_body(method: Method, target: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    request(method, target).map(|_| body.into())
}

/// A PATCH with a `Content-Range`.
pub fn ranged_patch(target: &str, body: impl Into<Bytes>, range: &str) -> Request<Bytes> {
    with_header(request_with_body(Method::PATCH, target, body), "content-range", range)
}

/// A request for a streamed body, with a `Content-Length` if there is one.
pub fn request_with_length(method: Method, target: &str, length: Option<u64>) -> Request<Bytes> {
    let request = request(method, target);
    match length {
        Some(length) => with_header(request, "content-length", &length.to_string()),
        None => request,
    }
}

/// The target with a further query parameter.
pub fn with_query(target: &str, parameter: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{parameter}")
}

/// The target with the blob's digest as the parameter `digest`.
pub fn with_digest(target: &str, blob: &[u8]) -> String {
    with_query(target, &format!("digest={}", sha256(blob)))
}

/// The request's target for a body that is sent by PATCH, or by the PUT that finishes the upload.
pub fn body_target(method: &Method, target: &str, blob: &[u8]) -> String {
    if *method == Method::PUT { with_digest(target, blob) } else { target.to_owned() }
}

/// The reply's `Location`, which has to be relative to regpass.
#[track_caller]
pub fn location_of(reply: &Reply) -> String {
    let location = reply.header("location").unwrap_or_else(|| panic!("no Location in {reply:?}"));
    assert!(location.starts_with("/v2/"), "the Location is not relative to regpass: {location}");
    location.to_owned()
}
