//! The rules of registries.md, section 21, by their numbers: each against every registry that forces it.

mod content;
mod errors;
mod hosts;
mod listings;
mod literals;
mod numbers;
mod parsing;
mod redirects;
mod scopes;
mod stale;
mod tokens;
mod uploads;

use http::{Method, StatusCode};

use crate::harness::{Regpass, Reply, only, request, with};
use crate::sim::{Abilities, Entry, Family, Image, Preset, Registry, Shown, Sim};

/// A registry that is known by its profile, with what its abilities speak of as tag `1`, and regpass in front of it.
struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
    can: Abilities,
}

const ALL_ACCESS: &str = "allow = [\"pull\", \"push\", \"delete\"]";

impl World {
    /// With the registry's login, where it has one.
    async fn of(profile: &str, preset: Preset) -> Self {
        let login = login(&preset);
        Self::with(profile, preset, &login).await
    }

    async fn anonymous(profile: &str, preset: Preset) -> Self {
        Self::with(profile, preset, "").await
    }

    /// With `more` in the registry's table.
    async fn with(profile: &str, preset: Preset, more: &str) -> Self {
        let sim = Sim::memory();
        let can = preset.can.clone();
        let registry = Box::pin(sim.start(preset)).await;
        let image = Image::single("app", Family::Oci);
        registry.furnish("1", &image);
        let text = only(&registry, &format!("profile = \"{profile}\"\n{ALL_ACCESS}\n{more}"));
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, image, can }
    }

    /// The manifest of what only the login reaches.
    fn private(&self) -> String {
        manifest(self.can.private)
    }

    fn public(&self) -> String {
        manifest(self.can.public)
    }

    fn layer(&self) -> String {
        format!("/v2/{}/blobs/{}", self.can.private, self.image.blobs[0].digest)
    }

    async fn get(&self, target: &str) -> Reply {
        self.regpass.get(target).await
    }

    async fn method(&self, method: Method, target: &str) -> Reply {
        self.regpass.send(request(method, target)).await
    }

    /// Pulls what the login reaches and forgets what it cost, so that challenge and token are known.
    async fn warm(&self) {
        let reply = self.get(&self.private()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.sim.ledger().take();
    }

    /// What came since the last time, as `GET anonymous 401`; of calls of a token service `token GET basic:acme 200`.
    fn steps(&self) -> Vec<String> {
        self.sim.ledger().take().iter().map(step).collect()
    }
}

fn step(entry: &Entry) -> String {
    let server = if entry.server == "registry" { String::new() } else { format!("{} ", entry.server) };
    let status = entry.status.map_or(0, |status| status.as_u16());
    format!("{server}{} {} {status}", entry.method, entry.authorization)
}

fn manifest(name: &str) -> String {
    format!("/v2/{name}/manifests/1")
}

/// The table's line for the login of a registry.
fn login(preset: &Preset) -> String {
    preset.can.login.map_or(String::new(), |(user, password)| as_user(user, password))
}

fn as_user(user: &str, password: &str) -> String {
    format!("credential = {{ source = \"password\", username = '{user}', password = '{password}' }}")
}

/// The registries of these profiles, each in all its variants.
fn registries(profiles: &[&'static str]) -> Vec<(&'static str, Preset)> {
    let all = everyone();
    for profile in profiles {
        assert!(all.iter().any(|(name, _)| name == profile), "{profile} has a preset");
    }
    all.into_iter().filter(|(name, _)| profiles.contains(name)).collect()
}

/// The registry at this host of the simulation, less its `.test`.
fn at(host: &str) -> (&'static str, Preset) {
    let found = everyone().into_iter().find(|(_, preset)| preset.host.strip_suffix(".test") == Some(host));
    found.unwrap_or_else(|| panic!("no registry is at {host}.test"))
}

/// Every registry in all its variants.
fn everyone() -> Vec<(&'static str, Preset)> {
    Preset::all()
        .into_iter()
        .chain(Preset::variants().into_iter().map(|(profile, _, preset)| (profile, preset)))
        .collect()
}

/// Those that give tokens for a login.
fn with_tokens() -> Vec<(&'static str, Preset)> {
    everyone().into_iter().filter(|(_, preset)| preset.can.shown == Shown::Token).collect()
}

/// The calls of the token service since the last time.
fn token_calls(sim: &Sim) -> Vec<Entry> {
    sim.ledger().take().into_iter().filter(|entry| entry.server == "token").collect()
}

/// The scopes of one token call.
fn asked(entry: &Entry) -> Vec<String> {
    let pairs = form_urlencoded::parse(entry.query.as_bytes());
    pairs.filter(|(key, _)| key == "scope").map(|(_, scope)| scope.into_owned()).collect()
}

fn is_401(entry: &Entry) -> bool {
    entry.status == Some(StatusCode::UNAUTHORIZED)
}

fn get_with(target: &str, name: &'static str, value: &str) -> http::Request<bytes::Bytes> {
    with(request(Method::GET, target), name, value)
}
