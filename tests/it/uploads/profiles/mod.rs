//! Registries that do not accept every way to push, one file per profile: what regpass sends them instead, request by
//! request.

mod acr;
mod artifactory;
mod buffered_chunks;
mod ecr;
mod ghcr;
mod google;
mod harbor;
mod mounts;

use bytes::Bytes;
use http::Method;

use super::{PushSetup, request_with_body, with_digest};
use crate::harness::{Reply, with_header};
use crate::sim::{Entry, Framing, Preset, sha256};

const MIB: usize = 1 << 20;
/// A body of unknown length, as docker and podman send layers.
const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");

impl PushSetup {
    /// Starts a registry with this profile and an upload to `repository`, and empties the ledger. regpass knows the
    /// challenge and has a token then. Returns the upload's location, too.
    async fn with_profile(preset: Preset, profile: &str, repository: &str) -> (Self, String) {
        let setup = Self::start(preset, &format!("profile = \"{profile}\"")).await;
        let location = setup.start_upload(repository).await;
        setup.sim.ledger().take();
        (setup, location)
    }

    async fn send_with(
        &self,
        method: Method,
        target: &str,
        body: impl Into<Bytes>,
        headers: &[(&'static str, &str)],
    ) -> Reply {
        let bare = request_with_body(method, target, body);
        self.regpass.send(headers.iter().fold(bare, |request, (name, value)| with_header(request, name, value))).await
    }

    /// Sends a PATCH after which the client gets this range, and returns the next location.
    async fn patch_to(
        &self,
        range: &str,
        target: &str,
        body: impl Into<Bytes>,
        headers: &[(&'static str, &str)],
    ) -> String {
        let reply = self.send_with(Method::PATCH, target, body, headers).await;
        assert_eq!((reply.status.as_u16(), reply.header("range")), (202, Some(range)), "{reply:?}");
        super::location_of(&reply)
    }

    /// Sends a PATCH that has to succeed, and returns the next location.
    async fn patch_with(&self, target: &str, body: impl Into<Bytes>, headers: &[(&'static str, &str)]) -> String {
        let reply = self.send_with(Method::PATCH, target, body, headers).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        super::location_of(&reply)
    }

    /// Finishes the upload of `blob` to `repository` with a PUT whose body is its last part.
    async fn finish_in(
        &self,
        repository: &str,
        target: &str,
        last_part: impl Into<Bytes>,
        blob: &[u8],
        headers: &[(&'static str, &str)],
    ) {
        let reply = self.send_with(Method::PUT, &with_digest(target, blob), last_part, headers).await;
        self.assert_stored(&reply, repository, blob);
    }

    /// Sends the whole blob with `POST ?digest=`.
    async fn post_whole(&self, repository: &str, blob: &'static [u8]) -> Reply {
        let target = with_digest(&format!("/v2/{repository}/blobs/uploads/"), blob);
        self.send_with(Method::POST, &target, blob, &[]).await
    }

    /// Asserts a 201 for a blob in `repository`, and that the registry has it byte for byte.
    #[track_caller]
    fn assert_stored(&self, reply: &Reply, repository: &str, blob: &[u8]) {
        assert_eq!(reply.status, 201, "{reply:?}");
        let digest = sha256(blob);
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
        assert_eq!(reply.header("location"), Some(&*format!("/v2/{repository}/blobs/{digest}")));
        self.assert_registry_has(repository, blob);
    }

    /// Asserts that exactly these requests have reached the registry since the last call. `PATCH /v2/… 0-3 4 202` is a
    /// chunk of four bytes with a `Content-Range`, `chunked 4` one without a `Content-Length`.
    #[track_caller]
    fn expect_steps(&self, expected: &[&str]) {
        let steps: Vec<String> = self.sim.ledger().take().iter().map(describe_step).collect();
        let (received, expected) = (steps.join("\n  "), expected.join("\n  "));
        assert!(received == expected, "the registry received\n  {received}\ninstead of\n  {expected}");
    }
}

fn describe_step(entry: &Entry) -> String {
    let line = entry.to_string();
    let mut words: Vec<&str> = line.split(' ').collect();
    let status = words.pop().unwrap();
    // Other tests check the authorization.
    let _authorization = words.pop();
    let mut step = words[1..].join(" ");
    if let Some(digest) = entry.query_value("digest") {
        step = step.replace(&digest, "…");
    }
    if let Some(range) = entry.headers.get("content-range") {
        step.extend([" ", range.to_str().unwrap()]);
    }
    match entry.framing {
        Framing::None | Framing::Length(0) => format!("{step} {status}"),
        Framing::Length(length) => format!("{step} {length} {status}"),
        Framing::Chunked => format!("{step} chunked {} {status}", entry.body_len),
    }
}

/// Bytes in which neighbouring pages differ, so that swapped parts are noticed.
fn paged_bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 4096).to_le_bytes()[0]).collect()
}
