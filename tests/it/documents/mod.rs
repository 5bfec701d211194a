//! Manifests, lists and errors of registries: regpass decodes and completes them, limits their size, and converts errors to
//! one format.

mod digests;
mod errors;
mod extensions;
mod listings;
mod manifests;

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{AuthMode, Fault, Image, ImageFormat, Preset, Registry, Sim};

struct Setup {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
}

const TAG: &str = "/v2/acme/app/manifests/1";

const TAGS: &str = "/v2/acme/app/tags/list";

impl Setup {
    async fn start(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
        let image = Image::single("app", ImageFormat::Docker);
        for tag in ["1", "2", "3"] {
            registry.publish("acme/app", tag, &image);
        }
        let text = format!("default_registry = \"reg.test\"\n{}", registry_table("reg.test", &registry, more));
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, image }
    }

    /// GET while the registry has a fault, which is removed afterwards.
    async fn get_with_fault(&self, fault: Fault, target: &str) -> Reply {
        let fault = self.registry.api().inject(fault);
        let reply = self.regpass.get(target).await;
        fault.remove();
        reply
    }

    fn manifest(&self) -> &Bytes {
        &self.image.top().bytes
    }

    fn by_digest(&self) -> String {
        format!("/v2/acme/app/manifests/{}", self.image.digest())
    }
}

/// `bytes` compressed as this `Content-Encoding`: `deflate`, otherwise gzip.
fn encoded(name: &str, bytes: &[u8]) -> Bytes {
    if name == "deflate" {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        return encoder.finish().unwrap().into();
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}
