//! A registry with one large blob and regpass in front of it.

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, registry_table, request};
use crate::sim::{self, Blob, Image, ImageFormat, Preset, Registry, Sim};

pub struct BlobDownload {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
    pub blob: Blob,
    /// The path of the blob.
    pub target: String,
}

impl BlobDownload {
    /// The registry has `acme/app:1` and a blob of this size. `more` is added to its table in the configuration.
    pub async fn start(sim: Sim, preset: Preset, size: usize, more: &str) -> Self {
        let registry = sim.start(preset).await;
        let blob = Self::content(size);
        registry.publish("acme/app", "1", &Image::single("app", ImageFormat::Oci));
        registry.publish_blob("acme/app", &blob);
        let text = format!("default_registry = \"reg.test\"\n{}", registry_table("reg.test", &registry, more));
        let regpass = Regpass::start(&sim, &text);
        let target = format!("/v2/acme/app/blobs/{}", blob.digest);
        Self { sim, registry, regpass, blob, target }
    }

    /// The blob with this number of bytes; its content is always the same.
    pub fn content(size: usize) -> Blob {
        Blob::random(1, size)
    }

    /// GET of the blob.
    pub fn get(&self) -> Request<Bytes> {
        request(Method::GET, &self.target)
    }

    /// Asserts that the reply is a 200 with the whole blob.
    #[track_caller]
    pub fn assert_whole(&self, reply: &Reply) {
        let size = self.blob.slice().to_bytes().len();
        assert_eq!(reply.status, 200);
        self.assert_part(reply, 0, size);
        assert_eq!(sim::sha256(&reply.body), self.blob.digest);
    }

    /// Asserts that the reply is complete and has the bytes of the blob from `start` to before `end`.
    #[track_caller]
    pub fn assert_part(&self, reply: &Reply, start: usize, end: usize) {
        assert_eq!((reply.complete, reply.body.len()), (true, end - start), "{}", reply.status);
        assert!(reply.body == self.blob.slice().to_bytes().slice(start..end), "other bytes than the blob's");
    }
}
