//! What registries will not take from every client, one file a registry: what reached it instead, request by request.

mod artifactory;
mod ecr;
mod ghcr;
mod harbor;
mod kept;
mod mounts;
mod sized;
mod whole;

use bytes::Bytes;
use http::Method;

use super::{Stage, and, carrying};
use crate::harness::{Reply, with};
use crate::sim::{Entry, Framing, Preset, sha256};

const MIB: usize = 1 << 20;
/// A body of unknown length, as docker and podman send layers.
const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");

impl Stage {
    /// A registry that is known by its profile, its challenge and token learned, and an upload begun in `repository`.
    async fn begun(preset: Preset, profile: &str, repository: &str) -> (Self, String) {
        let stage = Self::set(preset, &format!("profile = \"{profile}\"")).await;
        let location = stage.begin(repository).await;
        stage.sim.ledger().take();
        (stage, location)
    }

    async fn send_with(
        &self,
        method: Method,
        target: &str,
        body: impl Into<Bytes>,
        headers: &[(&'static str, &str)],
    ) -> Reply {
        let bare = carrying(method, target, body);
        self.regpass.send(headers.iter().fold(bare, |request, (name, value)| with(request, name, value))).await
    }

    /// A PATCH that is taken: the next location, and how far the client is told it is.
    async fn patched(
        &self,
        target: &str,
        body: impl Into<Bytes>,
        headers: &[(&'static str, &str)],
    ) -> (String, String) {
        let reply = self.send_with(Method::PATCH, target, body, headers).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        (super::location(&reply), reply.header("range").unwrap().to_owned())
    }

    /// The PUT that ends an upload whose blob is `whole`, the last part of which is `body`.
    async fn put(&self, target: &str, body: impl Into<Bytes>, whole: &[u8], headers: &[(&'static str, &str)]) -> Reply {
        self.send_with(Method::PUT, &and(target, &format!("digest={}", sha256(whole))), body, headers).await
    }

    /// The client was told that the blob is in `repository`, where it is, byte for byte.
    fn assert_stored(&self, reply: &Reply, repository: &str, whole: &[u8]) {
        assert_eq!(reply.status, 201, "{reply:?}");
        let digest = reply.header("docker-content-digest").unwrap();
        assert_eq!(reply.header("location"), Some(&*format!("/v2/{repository}/blobs/{digest}")));
        let kept = self.registry.store().read(repository, |repository| repository.blobs.get(digest).cloned());
        let kept = kept.flatten().expect("the blob is there").slice().to_bytes();
        assert!(kept == whole, "other bytes arrived");
    }

    /// What reached the registry since the last time: `PATCH /v2/… 0-3 4 202` is a chunk of four bytes that says which
    /// ones they are, `chunked 4` one that did not tell its length.
    #[track_caller]
    fn expect_steps(&self, steps: &[&str]) {
        let seen: Vec<String> = self.sim.ledger().take().iter().map(step).collect();
        assert!(seen == steps, "what came is\n  {}\ninstead of\n  {}", seen.join("\n  "), steps.join("\n  "));
    }
}

fn step(entry: &Entry) -> String {
    let line = entry.to_string();
    let mut words: Vec<&str> = line.split(' ').collect();
    let status = words.pop().unwrap();
    // Who asks is other tests' concern.
    let _grant = words.pop();
    let mut step = words[1..].join(" ").replace(&digest_of(entry), "…");
    if let Some(range) = entry.headers.get("content-range") {
        step.extend([" ", range.to_str().unwrap()]);
    }
    match entry.framing {
        Framing::None | Framing::Length(0) => format!("{step} {status}"),
        Framing::Length(length) => format!("{step} {length} {status}"),
        Framing::Chunked => format!("{step} chunked {} {status}", entry.body_len),
    }
}

fn digest_of(entry: &Entry) -> String {
    entry.query_value("digest").unwrap_or_else(|| "no digest".to_owned())
}

/// Bytes of which no two pages are alike, near by at least: pieces that change places are noticed.
fn telling(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 4096).to_le_bytes()[0]).collect()
}
