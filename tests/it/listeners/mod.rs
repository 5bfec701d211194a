//! Listeners: client credentials, client certificates and users of unix sockets; how listeners open, change and close.

mod absolute_locations;
mod admin;
mod certificates;
mod client_credentials;
mod connections;
mod full_listener;
mod identities;
mod pushes;
mod reloads;
mod unix_sockets;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use tempfile::TempDir;

use crate::harness::{Regpass, Reply, registry_table, request, with_header};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Registry, Sim};

const TAGS: &str = "/v2/acme/app/tags/list";
/// The request that the registry receives for [`TAGS`].
const TAGS_REQUEST: &str = "registry GET /v2/acme/app/tags/list anonymous 200";

/// Alice's password at the listener; no registry knows it.
const PASSWORD: &str = "alices own password";

/// A temporary folder for files that a configuration names, and that tests change while regpass uses them.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file; returns its path.
    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// Writes an htpasswd file with these users; returns the configuration key `clients` that names it.
    fn htpasswd(&self, users: &[(&str, &str)]) -> String {
        let lines: Vec<String> = users.iter().map(|(user, password)| format!("{user}:{}", hashed(password))).collect();
        format!("clients = {{ htpasswd = \"{}\" }}", self.write("htpasswd", &lines.join("\n")))
    }
}

/// The bcrypt hash of a password, with the lowest cost.
fn hashed(password: &str) -> String {
    bcrypt::hash_with_salt(password, 4, [9; 16]).unwrap().to_string()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// GET with this `Authorization`, if any.
fn get(target: &str, authorization: Option<&str>) -> Request<Bytes> {
    let request = request(Method::GET, target);
    match authorization {
        Some(authorization) => with_header(request, "authorization", authorization),
        None => request,
    }
}

/// A registry with one public image, behind a listener with these configuration keys.
async fn start(listener: &str) -> (Sim, Registry, Regpass) {
    start_on("127.0.0.1:5050", listener).await
}

async fn start_on(address: &str, listener: &str) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
    registry.publish("acme/app", "1", &Image::single("app", ImageFormat::Docker));
    let text = configuration(&registry, &format!("[[listener]]\naddress = \"{address}\"\n{listener}"));
    let regpass = Regpass::start(&sim, &text);
    (sim, registry, regpass)
}

fn configuration(registry: &Registry, listeners: &str) -> String {
    let more = "allow = [\"pull\", \"push\"]\nalias = \"reg\"";
    format!("default_registry = \"reg.test\"\n{listeners}\n{}", registry_table("reg.test", registry, more))
}

/// Asserts a 401 of regpass itself, with a challenge to which clients respond with Basic.
#[track_caller]
fn assert_challenged(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 401, "{what}: {reply:?}");
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"regpass\""), "{what}");
    if !reply.body.is_empty() {
        assert_eq!(reply.error().0, "UNAUTHORIZED", "{what}");
    }
}
