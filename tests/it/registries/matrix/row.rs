//! A registry of the matrix, and the setups and requests of its checks.

use std::fmt;

use crate::registry_setup::{ALLOW_ALL, RegistrySetup, password_credential, preset_credential};
use crate::sim::{Entry, Image, ImageFormat, Preset, Role};

/// One variant of a registry.
pub struct Row {
    pub profile: &'static str,
    /// What distinguishes this variant from the others with its profile; empty for the usual variant.
    variant: &'static str,
    pub preset: Preset,
}

/// The credential in regpass's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    None,
    /// The credential of the preset, or none if the preset has none.
    Valid,
    /// The preset's user, or `nobody` if the preset has none, with a password that the registry does not know.
    Wrong,
    /// The credential of an administrator with this name.
    Admin(&'static str),
}

const ADMIN_PASSWORD: &str = "the admin's password";

impl Row {
    pub fn all() -> Vec<Self> {
        let usual = Preset::all().into_iter().map(|(profile, preset)| Self { profile, variant: "", preset });
        let others = Preset::variants().into_iter().map(|(profile, variant, preset)| Self { profile, variant, preset });
        let mut rows: Vec<Self> = usual.chain(others).collect();
        rows.sort_by_key(|row| (row.profile == "generic", row.profile));
        rows
    }

    pub async fn start(&self, credential: Credential) -> RegistrySetup {
        Box::pin(start(self.profile, self.preset.clone(), credential)).await
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, ", {}", self.variant) }
    }
}

/// Starts a registry with this profile, and regpass with this credential.
pub async fn start(profile: &str, preset: Preset, credential: Credential) -> RegistrySetup {
    let preset_user = preset.capabilities.credential.map(|(user, _)| user);
    let (line, unused_secret) = match credential {
        Credential::None => (String::new(), None),
        Credential::Valid => (preset_credential(&preset), None),
        Credential::Wrong if preset_user.is_some() => {
            (password_credential(preset_user.unwrap(), "a wrong password"), Some("never shown"))
        }
        Credential::Wrong => (password_credential("nobody", "never shown"), Some("never shown")),
        Credential::Admin(user) => (password_credential(user, ADMIN_PASSWORD), None),
    };
    let image = Image::multi_arch("app", ImageFormat::Oci);
    let setup = RegistrySetup::start(preset, image, &registry_table(profile, &line)).await;
    if let Some(secret) = unused_secret {
        setup.sim.forbid_secret(secret);
    }
    if let Credential::Admin(user) = credential {
        setup.registry.add_user(user, ADMIN_PASSWORD);
    }
    setup
}

/// The lines of a registry's table for its profile and credential.
pub fn registry_table(profile: &str, credential: &str) -> String {
    format!("profile = \"{profile}\"\n{ALLOW_ALL}\n{credential}")
}

impl RegistrySetup {
    /// The requests that reached the registry, its token service and its blob store since the last call. Fails if one
    /// broke a rule of the simulation.
    #[track_caller]
    pub fn take_requests(&self) -> Requests {
        let violations = self.sim.take_violations();
        assert!(violations.is_empty(), "rules broken: {violations:?}");
        Requests(self.sim.ledger().take())
    }
}

/// Upstream requests in the order of their arrival.
#[derive(Debug)]
pub struct Requests(pub Vec<Entry>);

impl Requests {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The number of requests that were answered with a redirect.
    pub fn redirects(&self) -> usize {
        self.0.iter().filter(|entry| entry.status.is_some_and(|status| status.is_redirection())).count()
    }

    /// How many of these requests went to a token service.
    pub fn token_calls(&self) -> usize {
        self.0.iter().filter(|entry| is_token_call(entry)).count()
    }

    /// Asserts one request, one more for each redirect, and no rejection.
    #[track_caller]
    pub fn assert_one_request(&self) {
        assert_eq!(self.count(), 1 + self.redirects(), "one request, and one for each redirect: {self:?}");
        self.assert_no_rejection();
    }

    #[track_caller]
    pub fn assert_no_rejection(&self) {
        let rejected = self.0.iter().any(|entry| matches!(entry.status.map(|status| status.as_u16()), Some(401 | 403)));
        assert!(!rejected, "a request was rejected: {self:?}");
    }
}

pub fn is_token_call(entry: &Entry) -> bool {
    entry.role == Role::TokenService
}
