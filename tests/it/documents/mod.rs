//! Small documents and errors: completed, decoded, bounded, and all of one shape.

mod errors;
mod listings;
mod manifests;

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::harness::{Regpass, Reply, table};
use crate::sim::{Family, Fault, Image, Mode, Preset, Registry, Sim};

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
}

const TAG: &str = "/v2/acme/app/manifests/1";

const TAGS: &str = "/v2/acme/app/tags/list";

impl World {
    async fn start(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::distribution(Mode::Open)).await;
        let image = Image::single("app", Family::Docker);
        for tag in ["1", "2", "3"] {
            registry.publish("acme/app", tag, &image);
        }
        let text = format!("default_registry = \"reg.test\"\n{}", table("reg.test", &registry, more));
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, image }
    }

    /// One answer under a fault, which ends with it.
    async fn under(&self, fault: Fault, target: &str) -> Reply {
        let fault = self.registry.registry().inject(fault);
        let reply = self.regpass.get(target).await;
        fault.lift();
        reply
    }

    fn manifest(&self) -> &Bytes {
        &self.image.top().bytes
    }

    fn by_digest(&self) -> String {
        format!("/v2/acme/app/manifests/{}", self.image.digest())
    }
}

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
