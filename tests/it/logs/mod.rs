//! What the log says: a line for each request, and one for each image; traces.

mod fields;
mod images;
mod pushes;
mod refusals;
mod text;
mod traces;

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::sleep;

use regpass::observe::image::QUIET;

use crate::harness::{Regpass, Reply, request, table};
use crate::log::Log;
use crate::sim::{Family, Image, Mode, Preset, Registry, Sim};

/// A registry with one image of two architectures, and regpass in front of it.
struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
    log: Log,
}

impl World {
    async fn new() -> Self {
        Box::pin(Self::with(Preset::distribution(Mode::Token))).await
    }

    async fn with(preset: Preset) -> Self {
        let log = Log::listen();
        let sim = Sim::memory();
        let registry = Box::pin(sim.start(preset)).await;
        registry.user("alice", "alices-password");
        let image = Image::multi_arch("app", Family::Oci);
        registry.publish("team/app", "1", &image);
        let login = "allow = [\"pull\", \"push\"]\n\
                     credential = { source = \"password\", username = \"alice\", password = \"alices-password\" }";
        let regpass = Regpass::start(&sim, &table("reg.test", &registry, login));
        Self { sim, registry, regpass, image, log }
    }

    async fn get(&self, path: &str) -> Reply {
        self.regpass.get(&format!("/v2/reg.test/team/app/{path}")).await
    }

    async fn head(&self, path: &str) -> Reply {
        self.regpass.send(request(Method::HEAD, &format!("/v2/reg.test/team/app/{path}"))).await
    }

    fn top(&self) -> String {
        self.image.manifests.last().unwrap().digest.clone()
    }

    fn child(&self) -> String {
        format!("manifests/{}", self.image.manifests[0].digest)
    }

    fn blob(&self, number: usize) -> String {
        format!("blobs/{}", self.image.blobs[number].digest)
    }

    /// Everything of one architecture, by tag; how many bytes that was.
    async fn pull(&self, tag: &str) -> usize {
        let mut bytes = 0;
        for path in [format!("manifests/{tag}"), self.child(), self.blob(0), self.blob(1)] {
            let reply = self.get(&path).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            bytes += reply.body.len();
        }
        bytes
    }

    /// The images that were told of, after a while without requests.
    async fn images(&self) -> Vec<Value> {
        sleep(QUIET + Duration::from_secs(1)).await;
        self.log.told("image")
    }

    /// The one image that was told of.
    async fn only_image(&self) -> Value {
        let images = self.images().await;
        let [image] = images.as_slice() else { panic!("{images:#?}") };
        image.clone()
    }
}

/// Some fields of an object, for comparing.
#[track_caller]
fn assert_told(told: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name} of {told:#}");
    }
}
