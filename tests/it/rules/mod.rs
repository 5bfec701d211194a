//! The 41 rules that a client of many registries has to follow, each against every registry that requires it. The
//! number of a rule is part of the names of its tests; each file begins with the rules it tests.

mod challenges;
mod content;
mod coverage;
mod errors;
mod expired_credentials;
mod hosts;
mod listings;
mod literal_replies;
mod redirects;
mod scopes;
mod tokens;
mod uploads;

use http::{Method, StatusCode};

use crate::harness::{request, with_header};
use crate::registry_setup::{ALLOW_ALL, RegistrySetup, preset_credential};
use crate::sim::{AuthKind, Entry, Image, ImageFormat, Preset, Sim};

impl RegistrySetup {
    /// A registry with this profile and the credential of its preset, if there is one.
    async fn with_profile(profile: &str, preset: Preset) -> Self {
        let credential = preset_credential(&preset);
        Box::pin(Self::with_table(profile, preset, &credential)).await
    }

    /// A registry with this profile and no credential.
    async fn anonymous(profile: &str, preset: Preset) -> Self {
        Box::pin(Self::with_table(profile, preset, "")).await
    }

    /// A registry with this profile, and `more` in its table.
    async fn with_table(profile: &str, preset: Preset, more: &str) -> Self {
        let image = Image::single("app", ImageFormat::Oci);
        Box::pin(Self::start(preset, image, &format!("profile = \"{profile}\"\n{ALLOW_ALL}\n{more}"))).await
    }

    /// A setup with the credential of the preset and, if the registry allows anonymous pulls, one without. The flag says
    /// whether the setup has the credential.
    async fn with_and_without_credential(profile: &str, preset: &Preset) -> Vec<(bool, Self)> {
        let mut setups = vec![(true, Self::with_profile(profile, preset.clone()).await)];
        if preset.capabilities.anonymous_pull {
            setups.push((false, Self::anonymous(profile, preset.clone()).await));
        }
        setups
    }

    /// The requests since the last call, as `GET anonymous 401`; those to other servers as `token GET basic:acme 200`.
    fn steps(&self) -> Vec<String> {
        self.sim.ledger().take().iter().map(describe_step).collect()
    }
}

/// Runs a test against each of these registries, with the credential of its preset. The test also gets the
/// registry's host, for its messages.
async fn for_each(registries: Vec<(&'static str, Preset)>, test: impl AsyncFn(&str, &RegistrySetup)) {
    for (profile, preset) in registries {
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        Box::pin(test(&host, &setup)).await;
        setup.sim.finish();
    }
}

fn describe_step(entry: &Entry) -> String {
    let server = if entry.server == "registry" { String::new() } else { format!("{} ", entry.server) };
    let status = entry.status.map_or(0, |status| status.as_u16());
    format!("{server}{} {} {status}", entry.method, entry.authorization)
}

/// The registries with these profiles, each in all its variants.
fn registries_of(profiles: &[&'static str]) -> Vec<(&'static str, Preset)> {
    let all = all_registries();
    for profile in profiles {
        assert!(all.iter().any(|(name, _)| name == profile), "no preset has the profile {profile}");
    }
    all.into_iter().filter(|(name, _)| profiles.contains(name)).collect()
}

/// The registry whose simulated host is `<host>.test`.
fn registry_at(host: &str) -> (&'static str, Preset) {
    let found = all_registries().into_iter().find(|(_, preset)| preset.host.strip_suffix(".test") == Some(host));
    found.unwrap_or_else(|| panic!("no preset has the host {host}.test"))
}

/// Every registry in all its variants.
fn all_registries() -> Vec<(&'static str, Preset)> {
    Preset::all()
        .into_iter()
        .chain(Preset::variants().into_iter().map(|(profile, _, preset)| (profile, preset)))
        .collect()
}

/// The registries that issue tokens for a credential.
fn token_registries() -> Vec<(&'static str, Preset)> {
    all_registries().into_iter().filter(|(_, preset)| preset.capabilities.auth_kind == AuthKind::Token).collect()
}

/// The registries that accept pushes.
fn push_registries() -> Vec<(&'static str, Preset)> {
    all_registries().into_iter().filter(|(_, preset)| preset.capabilities.push).collect()
}

/// The requests to the token service since the last call.
fn token_calls(sim: &Sim) -> Vec<Entry> {
    sim.ledger().take().into_iter().filter(|entry| entry.server == "token").collect()
}

/// The scopes of a request to a token service.
fn scopes_of(entry: &Entry) -> Vec<String> {
    let pairs = form_urlencoded::parse(entry.query.as_bytes());
    pairs.filter(|(key, _)| key == "scope").map(|(_, scope)| scope.into_owned()).collect()
}

fn is_401(entry: &Entry) -> bool {
    entry.status == Some(StatusCode::UNAUTHORIZED)
}

fn get_with_header(target: &str, name: &'static str, value: &str) -> http::Request<bytes::Bytes> {
    with_header(request(Method::GET, target), name, value)
}
