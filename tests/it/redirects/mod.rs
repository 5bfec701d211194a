//! Redirects of reads: followed with the credentials left behind, or handed on.

mod handing;
mod hops;
mod targets;

use bytes::Bytes;

use crate::harness::{Regpass, table};
use crate::sim::{Blob, Family, Hop, Image, Mode, Place, Preset, Registry, Sim};

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    blob: Blob,
    target: String,
}

impl World {
    /// A registry that wants tokens, whose blobs come by `hops`; regpass knows the token already.
    async fn start(hops: &[Hop], more: &str) -> Self {
        Self::over(Sim::memory(), hops, more).await
    }

    async fn over(sim: Sim, hops: &[Hop], more: &str) -> Self {
        let registry = sim.start(Preset::distribution(Mode::Token).blob_hops(hops)).await;
        let blob = Blob::random(1, 100_000);
        registry.publish("acme/app", "1", &Image::single("app", Family::Oci));
        registry.publish_blob("acme/app", &blob);
        let text = format!("default_registry = \"reg.test\"\n{}", table("reg.test", &registry, more));
        let regpass = Regpass::start(&sim, &text);
        assert_eq!(regpass.get("/v2/acme/app/manifests/1").await.status, 200);
        sim.ledger().take();
        let target = format!("/v2/acme/app/blobs/{}", blob.digest);
        Self { sim, registry, regpass, blob, target }
    }

    fn bytes(&self) -> Bytes {
        self.blob.slice().to_bytes()
    }

    /// Without printing the blob when it differs.
    #[track_caller]
    fn assert_whole(&self, reply: &crate::harness::Reply) {
        assert_eq!((reply.status.as_u16(), reply.whole, reply.body.len()), (200, true, 100_000));
        assert!(reply.body == self.bytes(), "the bytes are the blob's");
    }

    /// The registry's own answer, a redirect.
    fn at_registry(&self, method: &str, status: u16) -> String {
        format!("registry {method} {} bearer#1 {status}", self.target)
    }

    /// The last request, at a signed URL.
    fn signed(&self, server: &str, who: &str, status: u16) -> String {
        format!("{server} GET /signed/{}?expires=…&signature=… {who} {status}", self.blob.digest)
    }

    fn hop(&self, number: u32, server: &str, who: &str, status: u16) -> String {
        format!("{server} GET /hop/{number}/signed/{}?expires=…&signature=… {who} {status}", self.blob.digest)
    }

    #[track_caller]
    fn expect(&self, lines: &[String]) {
        self.sim.ledger().expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

const TO_BLOBS: Hop = Hop::new(307, Place::Blobs);
