//! Who may use a listener: logins, certificates and users of the machine, what each gets, and how listeners open, change
//! and close.

mod admin;
mod certificates;
mod identities;
mod logins;
mod network;
mod reloads;
mod sockets;
mod uploads;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use tempfile::TempDir;

use crate::harness::{Regpass, Reply, request, table, with};
use crate::sim::{Family, Image, Mode, Preset, Registry, Sim};

const TAGS: &str = "/v2/acme/app/tags/list";
const SEEN: &str = "registry GET /v2/acme/app/tags/list anonymous 200";

/// Alice's password at the listener, and no registry's.
const PASSWORD: &str = "alices own password";

/// Files that a configuration names, and that change while it is in force.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// `clients = …`, for these users.
    fn htpasswd(&self, users: &[(&str, &str)]) -> String {
        let lines: Vec<String> = users.iter().map(|(user, password)| format!("{user}:{}", hashed(password))).collect();
        format!("clients = {{ htpasswd = \"{}\" }}", self.write("htpasswd", &lines.join("\n")))
    }
}

/// As cheap as a hash may be.
fn hashed(password: &str) -> String {
    bcrypt::hash_with_salt(password, 4, [9; 16]).unwrap().to_string()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// `GET`, with a login if there is one.
fn get(target: &str, login: Option<&str>) -> Request<Bytes> {
    let request = request(Method::GET, target);
    match login {
        Some(login) => with(request, "authorization", login),
        None => request,
    }
}

/// A registry with one image that everybody may pull, behind a listener with these keys.
async fn start(listener: &str) -> (Sim, Registry, Regpass) {
    start_on("127.0.0.1:5050", listener).await
}

async fn start_on(address: &str, listener: &str) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(Mode::Open)).await;
    registry.publish("acme/app", "1", &Image::single("app", Family::Docker));
    let text = configuration(&registry, &format!("[[listener]]\naddress = \"{address}\"\n{listener}"));
    let regpass = Regpass::start(&sim, &text);
    (sim, registry, regpass)
}

fn configuration(registry: &Registry, listeners: &str) -> String {
    let more = "allow = [\"pull\", \"push\"]\nalias = \"reg\"";
    format!("default_registry = \"reg.test\"\n{listeners}\n{}", table("reg.test", registry, more))
}

/// Turned away by regpass itself, in the way that makes clients log in.
#[track_caller]
fn assert_wants_login(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 401, "{what}: {reply:?}");
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"regpass\""), "{what}");
    if !reply.body.is_empty() {
        assert_eq!(reply.error().0, "UNAUTHORIZED", "{what}");
    }
}
