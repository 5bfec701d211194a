//! A registry of the matrix, and regpass in front of it.

use std::fmt;

use crate::harness::{Regpass, Reply, request, table};
use crate::sim::{Abilities, Entry, Family, Image, Preset, Registry, Role, Sim};

/// One way a registry may be set up.
pub struct Row {
    pub profile: &'static str,
    /// What sets it apart from others of its profile; empty for the usual one.
    variant: &'static str,
    pub preset: Preset,
}

/// The login that regpass has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    None,
    /// The one of the preset's abilities, where there is one.
    Good,
    /// The same with another password.
    Wrong,
    /// An administrator's.
    Admin(&'static str),
}

/// A registry with one public and one private repository, each with an image as `1`, and regpass in front of it.
pub struct World {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
    pub image: Image,
    pub can: Abilities,
}

const ADMINS: &str = "the admin's password";

impl Row {
    pub fn all() -> Vec<Self> {
        let usual = Preset::all().into_iter().map(|(profile, preset)| Self { profile, variant: "", preset });
        let others = Preset::variants().into_iter().map(|(profile, variant, preset)| Self { profile, variant, preset });
        let mut rows: Vec<Self> = usual.chain(others).collect();
        rows.sort_by_key(|row| (row.profile == "generic", row.profile));
        rows
    }

    pub async fn world(&self, login: Login) -> World {
        Box::pin(World::of(self.profile, self.preset.clone(), login)).await
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, ", {}", self.variant) }
    }
}

impl World {
    pub async fn of(profile: &str, preset: Preset, login: Login) -> Self {
        let sim = Sim::memory();
        let registry = Box::pin(sim.start(preset)).await;
        let image = Image::multi_arch("app", Family::Oci);
        registry.furnish("1", &image);
        let can = registry.preset().can.clone();
        let credential = match (login, can.login) {
            (Login::None, _) | (Login::Good, None) => String::new(),
            (Login::Good, Some((user, password))) => stored(user, password),
            (Login::Wrong, found) => {
                sim.never_see("never shown");
                let password = if found.is_some() { "a wrong password" } else { "never shown" };
                stored(found.map_or("nobody", |(user, _)| user), password)
            }
            (Login::Admin(user), _) => {
                registry.user(user, ADMINS);
                stored(user, ADMINS)
            }
        };
        let regpass = Regpass::start(&sim, &config(profile, &registry, &credential));
        Self { sim, registry, regpass, image, can }
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.regpass.get(target).await
    }

    pub async fn method(&self, method: http::Method, target: &str) -> Reply {
        self.regpass.send(request(method, target)).await
    }

    /// The repository that regpass is to work with: the private one, where there is a login.
    pub fn repository(&self) -> &'static str {
        self.can.private
    }

    /// `/v2/NAME/REST`
    pub fn target(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.repository())
    }

    /// Pulls the manifest, so that challenge and token are known, and forgets what that cost.
    pub async fn warm(&self) {
        let reply = self.get(&self.target("manifests/1")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.sim.ledger().take();
    }

    /// What reached the registry and its servers since the last look; a rule that was broken fails the cell.
    #[track_caller]
    pub fn seen(&self) -> Seen {
        let violations = self.sim.take_violations();
        assert!(violations.is_empty(), "rules broken: {violations:?}");
        Seen(self.sim.ledger().take())
    }
}

/// Requests in order of arrival.
#[derive(Debug)]
pub struct Seen(pub Vec<Entry>);

impl Seen {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many were answered with a redirect.
    pub fn hops(&self) -> usize {
        self.0.iter().filter(|entry| entry.status.is_some_and(|status| status.is_redirection())).count()
    }

    /// How many went to a token service.
    pub fn tokens(&self) -> usize {
        self.0.iter().filter(|entry| is_token_call(entry)).count()
    }

    /// One request, one more for each redirect, nothing else and no 401.
    #[track_caller]
    pub fn assert_warm(&self) {
        assert_eq!(self.count(), 1 + self.hops(), "one request, and one for each hop: {self:?}");
        self.assert_unrefused();
    }

    #[track_caller]
    pub fn assert_unrefused(&self) {
        let refused = self.0.iter().any(|entry| matches!(entry.status.map(|status| status.as_u16()), Some(401 | 403)));
        assert!(!refused, "nothing was refused: {self:?}");
    }
}

pub fn is_token_call(entry: &Entry) -> bool {
    entry.role == Role::Token
}

/// A registry's whole configuration, under its own host and known by its profile's name.
pub fn config(profile: &str, registry: &Registry, credential: &str) -> String {
    let host = registry.authority();
    let more = format!("profile = \"{profile}\"\nallow = [\"pull\", \"push\", \"delete\"]\n{credential}");
    format!("default_registry = \"{host}\"\n{}", table(host, registry, &more))
}

pub fn stored(user: &str, password: &str) -> String {
    format!("credential = {{ source = \"password\", username = '{user}', password = \"{password}\" }}")
}
