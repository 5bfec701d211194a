//! The log line of each request, the log line of each image that was pulled or pushed, and the trace context in both.

mod fields;
mod images;
mod pushes;
mod rejections;
mod text_format;
mod trace_context;

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::sleep;

use regpass::observe::image::QUIET_PERIOD;

use crate::harness::{Regpass, Reply, registry_table, request};
use crate::log::Log;
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Registry, Sim};

/// A registry with one image of two architectures, and regpass in front of it.
struct Setup {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
    log: Log,
}

impl Setup {
    async fn new() -> Self {
        Box::pin(Self::with(Preset::distribution(AuthMode::Token))).await
    }

    async fn with(preset: Preset) -> Self {
        let log = Log::capture();
        let sim = Sim::memory();
        let registry = Box::pin(sim.start(preset)).await;
        registry.add_user("alice", "alices-password");
        let image = Image::multi_arch("app", ImageFormat::Oci);
        registry.publish("team/app", "1", &image);
        let more = "allow = [\"pull\", \"push\"]\n\
                     credential = { source = \"password\", username = \"alice\", password = \"alices-password\" }";
        let regpass = Regpass::start(&sim, &registry_table("reg.test", &registry, more));
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

    /// Pulls one architecture of a tag; returns the number of bytes.
    async fn pull(&self, tag: &str) -> usize {
        let mut bytes = 0;
        for path in [format!("manifests/{tag}"), self.child(), self.blob(0), self.blob(1)] {
            let reply = self.get(&path).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            bytes += reply.body.len();
        }
        bytes
    }

    /// The logged images, once all of them are complete.
    async fn images(&self) -> Vec<Value> {
        sleep(QUIET_PERIOD + Duration::from_secs(1)).await;
        self.log.events("image")
    }

    /// The logged image; panics unless it is the only one.
    async fn only_image(&self) -> Value {
        let images = self.images().await;
        let [image] = images.as_slice() else { panic!("{images:#?}") };
        image.clone()
    }
}

/// Asserts that a log line has these fields and values, and possibly others.
#[track_caller]
fn assert_fields(line: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{name} of {line:#}");
    }
}
