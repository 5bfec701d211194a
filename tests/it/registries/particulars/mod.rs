//! What one registry does and hardly another, as a plain client of regpass meets it: one file a registry.

mod acr;
mod artifactory;
mod detection;
mod ecr;
mod ecr_public;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod kubernetes;
mod mcr;
mod ngc;
mod quay;
mod zot;

use bytes::Bytes;
use http::{Method, Request};

use crate::harness::{Regpass, Reply, only, request, with};
use crate::sim::{Family, Image, Preset, Registry, Sim};

/// One registry with the repositories of its abilities, and regpass in front of it.
struct Scene {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    /// In both repositories, as `1`.
    image: Image,
    public: &'static str,
    private: &'static str,
}

impl Scene {
    /// Whatever host it has says nothing; `more` is what its table says.
    async fn set(preset: Preset, more: &str) -> Self {
        let sim = Sim::memory();
        let (public, private) = (preset.can.public, preset.can.private);
        let registry = sim.start(preset).await;
        let image = Image::single("app", Family::Oci);
        registry.furnish("1", &image);
        let regpass = Regpass::start(&sim, &only(&registry, more));
        Self { sim, registry, regpass, image, public, private }
    }

    /// With the login of its abilities.
    async fn with_login(preset: Preset, more: &str) -> Self {
        let more = format!("{}\n{more}", login(&preset));
        Self::set(preset, &more).await
    }

    async fn get(&self, target: &str) -> Reply {
        self.regpass.get(target).await
    }

    async fn send(&self, method: Method, target: &str) -> Reply {
        self.regpass.send(request(method, target)).await
    }

    /// What reached the registry since the last time, and nothing else.
    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }

    /// The path of the image's first blob.
    fn blob(&self, name: &str) -> String {
        format!("/v2/{name}/blobs/{}", self.image.blobs[0].digest)
    }
}

/// The path of the image's manifest.
fn manifest_of(name: &str) -> String {
    format!("/v2/{name}/manifests/1")
}

/// The credential that shows the login of a preset's abilities.
fn login(preset: &Preset) -> String {
    let (user, password) = preset.can.login.expect("the registry has logins");
    password_of(user, password)
}

fn password_of(user: &str, password: &str) -> String {
    format!("credential = {{ source = \"password\", username = '{user}', password = '{password}' }}")
}

/// A GET as a client that calls regpass by this name.
fn called(host: &str, target: &str) -> Request<Bytes> {
    let mut request = request(Method::GET, target);
    request.headers_mut().remove("host");
    with(request, "host", host)
}
