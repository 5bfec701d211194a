//! Blobs on their way to the client: healed where the registry allows it, and otherwise visibly broken.

mod giving_up;
mod healing;
mod streaming;

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, request, table};
use crate::sim::{self, Blob, Mode, Preset, Registry, Sim};

const SIZE: usize = 200_000;

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    blob: Blob,
    target: String,
}

impl World {
    async fn start() -> Self {
        Self::over(Sim::memory(), Preset::distribution(Mode::Open)).await
    }

    async fn over(sim: Sim, preset: Preset) -> Self {
        let registry = sim.start(preset).await;
        let blob = Blob::random(2, SIZE);
        registry.publish_blob("acme/app", &blob);
        let text = format!("default_registry = \"reg.test\"\n{}", table("reg.test", &registry, ""));
        let regpass = Regpass::start(&sim, &text);
        let target = format!("/v2/acme/app/blobs/{}", blob.digest);
        Self { sim, registry, regpass, blob, target }
    }

    fn get(&self) -> Request<Bytes> {
        request(Method::GET, &self.target)
    }

    /// What the ledger saw: server, status and the range that was asked for.
    fn seen(&self) -> Vec<String> {
        let told = |entry: &sim::Entry| {
            let range = entry.headers.get("range").map_or("whole", |range| range.to_str().unwrap());
            format!("{} {} {range}", entry.server, entry.status.map_or(0, |status| status.as_u16()))
        };
        self.sim.ledger().take().iter().map(told).collect()
    }

    #[track_caller]
    fn assert_whole(&self, reply: &Reply) {
        self.assert_part(reply, 0, SIZE);
        assert_eq!(reply.status, 200);
        assert_eq!(sim::sha256(&reply.body), self.blob.digest);
    }

    #[track_caller]
    fn assert_part(&self, reply: &Reply, from: usize, to: usize) {
        assert_eq!((reply.whole, reply.body.len()), (true, to - from), "{}", reply.status);
        assert!(reply.body == self.blob.slice().to_bytes().slice(from..to), "the bytes are the blob's");
    }

    /// Broken for the client to see, with nothing wrong in what came before.
    #[track_caller]
    fn assert_broken(&self, reply: &Reply) {
        assert_eq!((reply.status.as_u16(), reply.whole), (200, false));
        assert_eq!(reply.header("content-length"), Some("200000"));
        assert!(self.blob.slice().to_bytes().starts_with(&reply.body), "what came is the blob's beginning");
    }
}
