//! Pushing blobs: every way a client sends one, in front of every way a registry takes one.

mod breaks;
mod client;
mod expectations;
mod flows;
mod lengths;
mod locations;
mod rules;
mod names;
mod destinations;
mod manifests;
mod mounts;
mod parallel;
mod permissions;
mod replays;
mod seals;
mod sessions;
mod slow;
mod tokens;
mod whole;

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, only, request, with};
use crate::sim::{Blob, Entry, Framing, Mode, Preset, Registry, Sim, sha256};

/// A registry that takes pushes, and regpass in front of it with a login that may push.
pub struct Stage {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
}

/// What goes into the registry's table of every stage.
const PUSHER: &str = "allow = [\"pull\", \"push\", \"delete\"]\n\
    credential = { source = \"password\", username = \"alice\", password = \"alices password\" }";

impl Stage {
    /// `more` goes into the registry's table.
    pub async fn set(preset: Preset, more: &str) -> Self {
        Box::pin(Self::set_with("", preset, more)).await
    }

    /// `top` goes in front of all tables.
    pub async fn set_with(top: &str, preset: Preset, more: &str) -> Self {
        let sim = Sim::memory();
        let registry = Box::pin(sim.start(preset)).await;
        registry.user("alice", "alices password");
        let regpass = Regpass::start(&sim, &Self::text(top, &registry, more));
        Self { sim, registry, regpass }
    }

    /// The configuration of a stage.
    pub fn text(top: &str, registry: &Registry, more: &str) -> String {
        format!("{top}\n{}", only(registry, &format!("{PUSHER}\n{more}")))
    }

    pub async fn send(&self, method: Method, target: &str, body: impl Into<Bytes>) -> Reply {
        self.regpass.send(carrying(method, target, body)).await
    }

    /// Starts an upload and returns its location.
    pub async fn begin(&self, repository: &str) -> String {
        let reply = self.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), "").await;
        assert_eq!(reply.status, 202, "{reply:?}");
        location(&reply)
    }

    /// Sends `body` as one PATCH, with `range` if there is one, and returns the next location.
    pub async fn patch(&self, target: &str, body: impl Into<Bytes>, range: Option<&str>) -> String {
        let mut patch = carrying(Method::PATCH, target, body);
        if let Some(range) = range {
            patch = with(patch, "content-range", range);
        }
        let reply = self.regpass.send(patch).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        location(&reply)
    }

    /// Ends an upload whose blob is `whole`, the last part of which is `body`.
    pub async fn finish(&self, target: &str, body: impl Into<Bytes>, whole: &[u8]) {
        let digest = sha256(whole);
        let reply = self.send(Method::PUT, &and(target, &format!("digest={digest}")), body).await;
        self.assert_created(&reply, whole);
    }

    /// The registry has the blob, and the client was told so in the one form.
    #[track_caller]
    pub fn assert_created(&self, reply: &Reply, whole: &[u8]) {
        let digest = sha256(whole);
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
        assert_eq!(reply.header("location"), Some(&*format!("/v2/team/app/blobs/{digest}")));
        assert_eq!(reply.header("content-length"), Some("0"));
        self.assert_has("team/app", whole);
    }

    /// The registry has these very bytes.
    #[track_caller]
    pub fn assert_has(&self, repository: &str, whole: &[u8]) {
        let digest = sha256(whole);
        let kept = self.registry.store().read(repository, |repository| repository.blobs.get(&digest).cloned());
        let kept = kept.flatten().expect("the blob is there").slice().to_bytes();
        assert!(kept == whole, "other bytes arrived");
    }

    /// The ledger holds these lines, and nobody broke a rule.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }

    /// Empties the ledger of what came before.
    pub fn forget(&self) {
        self.sim.ledger().take();
    }

    /// Fetches the token that pushes to `team/app` need, so that nothing but the upload shows in the ledger.
    pub async fn warm(&self) {
        self.begin("team/app").await;
        self.forget();
    }
}

/// A registry that demands tokens and takes everything, in the way most do.
pub fn plain() -> Preset {
    Preset::distribution(Mode::Token)
}

/// Where uploads begin.
pub const UPLOADS: &str = "/v2/team/app/blobs/uploads/";

/// How the bodies came that reached a registry: method, framing, bytes.
pub fn bodies(sim: &Sim) -> Vec<String> {
    let came = |entry: &Entry| {
        let framing = match entry.framing {
            Framing::None => "none".to_owned(),
            Framing::Length(length) => format!("length {length}"),
            Framing::Chunked => "chunked".to_owned(),
        };
        let whole = if entry.body_whole { "whole" } else { "part" };
        format!("{} {framing}, {} {whole}", entry.method, entry.body_len)
    };
    sim.ledger().entries().iter().filter(|entry| entry.server == "registry").map(came).collect()
}

/// Bytes that nobody compresses, the same each time.
pub fn random(len: usize) -> Bytes {
    Blob::random(len as u64, len).slice().to_bytes()
}

pub fn carrying(method: Method, target: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    request(method, target).map(|_| body.into())
}

pub fn and(target: &str, pair: &str) -> String {
    let joint = if target.contains('?') { '&' } else { '?' };
    format!("{target}{joint}{pair}")
}

#[track_caller]
pub fn location(reply: &Reply) -> String {
    let location = reply.header("location").expect("a location");
    assert!(location.starts_with("/v2/"), "relative to regpass: {location}");
    location.to_owned()
}
