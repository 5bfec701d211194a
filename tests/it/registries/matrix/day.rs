//! Twenty-four simulated hours with a pull every minute, for each registry.

use std::any::Any;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::time::sleep;

use super::row::{Credential, is_token_call, registry_table, start};
use super::table::Table;
use crate::clouds::{APP, AzureSetup, GoogleSetup, ecr};
use crate::harness::{self, Regpass};
use crate::registry_setup::RegistrySetup;
use crate::sim::{AuthKind, Entry, Image, ImageFormat, Preset, Registry, Role, Sim, TokenFormat};

const MINUTES: u64 = 24 * 60;
/// The minutes between two pulls of a blob.
const BLOB_INTERVAL: u64 = 10;
/// The minutes between two changes of a password file. The passwords expire after twelve hours.
const PASSWORD_INTERVAL: u64 = 6 * 60;

/// A registry with one kind of credential.
pub struct Day {
    pub registry: &'static str,
    pub credential: &'static str,
    preset: Preset,
    start: fn(&Day) -> LocalBoxFuture<'_, DaySetup>,
}

/// The registry and regpass of a day.
struct DaySetup {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    manifest: String,
    blob: String,
    /// Runs every minute, with the number of the minute.
    every_minute: EveryMinute,
    /// The simulated clouds and temporary folders, which have to exist until the end of the day.
    _resources: Box<dyn Any>,
}

type EveryMinute = Box<dyn Fn(u64, &Registry)>;

impl DaySetup {
    /// A setup in which nothing changes during the day. `resources` exist as long as the setup.
    fn unchanging(parts: (Sim, Registry, Regpass), manifest: String, blob: String, resources: impl Any) -> Self {
        let (sim, registry, regpass) = parts;
        let every_minute = Box::new(|_, _: &Registry| ());
        Self { sim, registry, regpass, manifest, blob, every_minute, _resources: Box::new(resources) }
    }
}

#[derive(Default)]
pub struct Report {
    pulls: usize,
    failures: usize,
    tokens: usize,
    credentials: usize,
    /// The responses 400, 401 and 403 of registry and token service, except the first, which is the challenge.
    rejected: usize,
}

/// Registries that differ from a generic one in their challenge only, or from GHCR in their host.
const LIKE_GENERIC: &[&str] = &[
    "alibaba",
    "chainguard",
    "dhi",
    "digitalocean",
    "elastic",
    "huawei",
    "ibm",
    "oracle",
    "redhat",
    "scaleway",
    "scarf",
];

pub fn all() -> Vec<Day> {
    let usual = |(registry, preset): (&'static str, Preset)| {
        let credential = match preset.capabilities.auth_kind {
            AuthKind::None => "none",
            AuthKind::Basic => "password file",
            AuthKind::Token => "password",
        };
        Day { registry, credential, preset, start: |day| Box::pin(with_password(day)) }
    };
    let from_clouds = [
        Day { registry: "acr", credential: "azure", preset: Preset::acr(), start: |_| azure().boxed_local() },
        Day { registry: "ecr", credential: "ecr", preset: Preset::ecr(), start: |_| ecr_private().boxed_local() },
        Day {
            registry: "ecr-public",
            credential: "ecr",
            preset: Preset::ecr_public(),
            start: |_| ecr_public().boxed_local(),
        },
        Day { registry: "google", credential: "google", preset: Preset::google(), start: |_| google().boxed_local() },
    ];
    let all = Preset::all().into_iter().filter(|(registry, _)| !LIKE_GENERIC.contains(registry));
    let mut days: Vec<Day> = all.map(usual).chain(from_clouds).collect();
    days.sort_by_key(|day| (day.registry == "generic", day.registry));
    days
}

impl Day {
    pub async fn simulate(&self) -> Report {
        let DaySetup { sim, registry, regpass, manifest, blob, every_minute, _resources } = (self.start)(self).await;
        let mut report = Report::default();
        let (mut rejections, mut failed) = (Vec::new(), Vec::new());
        for minute in 0..MINUTES {
            every_minute(minute, &registry);
            for target in [Some(&manifest), (minute % BLOB_INTERVAL == 0).then_some(&blob)].into_iter().flatten() {
                let reply = regpass.get(target).await;
                report.pulls += 1;
                if reply.status != 200 {
                    report.failures += 1;
                    failed.push(format!("after {minute} minutes: {reply:?}"));
                }
            }
            sleep(Duration::from_secs(60)).await;
            for entry in sim.ledger().take() {
                report.tokens += usize::from(is_token_call(&entry));
                report.credentials += usize::from(is_credential_call(&entry));
                if is_rejection(&entry) {
                    rejections.push(format!("after {minute} minutes: {entry}"));
                }
            }
        }
        assert!(failed.is_empty(), "{} pulls failed, the first {}", failed.len(), failed[0]);
        report.rejected = rejections.len().saturating_sub(1);
        assert_eq!(report.rejected, 0, "no expired token or password is sent: {:#?}", &rejections[1..]);
        let max = self.max_tokens() + 2 * report.credentials;
        assert!(report.tokens <= max, "{} token calls, at most {max} are needed", report.tokens);
        sim.finish();
        report
    }

    /// The most token calls that the day may take if each token is used for at least two thirds of its lifetime, stated or
    /// assumed. Zero for registries that issue no tokens.
    fn max_tokens(&self) -> usize {
        let tokens = &self.preset.tokens;
        match self.preset.capabilities.auth_kind {
            AuthKind::Token => {
                let lifetime = if self.states_lifetime() { tokens.lifetime } else { DEFAULT_LIFETIME };
                usize::try_from(MINUTES * 60 * 3 / 2 / lifetime.as_secs()).unwrap() + 2
            }
            AuthKind::Basic | AuthKind::None => 0,
        }
    }

    /// Whether the registry states the lifetime of its tokens. GHCR does not.
    fn states_lifetime(&self) -> bool {
        self.preset.tokens.expires_in.is_some() || self.preset.tokens.format != TokenFormat::Ghcr
    }

    fn lifetime_text(&self) -> String {
        let lifetime = match self.preset.capabilities.auth_kind {
            AuthKind::None => return "-".to_owned(),
            AuthKind::Basic => self.preset.access.password_lifetime,
            AuthKind::Token if self.states_lifetime() => Some(self.preset.tokens.lifetime),
            AuthKind::Token => None,
        };
        lifetime.map_or_else(|| "not stated".to_owned(), |lifetime| humantime::format_duration(lifetime).to_string())
    }
}

/// The lifetime of a token that states none (distribution, token specification).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

impl Report {
    pub fn table() -> Table {
        Table::new([
            "registry",
            "credential",
            "token or password lives",
            "pulls",
            "failed",
            "401s after the first",
            "token calls",
            "credential calls",
        ])
    }

    pub fn cells(&self, day: &Day) -> Vec<String> {
        let Self { pulls, failures, rejected, tokens, credentials } = self;
        let numbers = [pulls, failures, rejected, tokens, credentials].map(ToString::to_string);
        [day.registry.to_owned(), day.credential.to_owned(), day.lifetime_text()].into_iter().chain(numbers).collect()
    }
}

/// Whether the request goes to a cloud, or to the exchange of Azure tokens at the registry itself.
fn is_credential_call(entry: &Entry) -> bool {
    const CLOUDS: [&str; 4] = ["ecr-api", "ecr-public-api", "oauth2", "directory"];
    CLOUDS.contains(&&*entry.server) || entry.path == "/oauth2/exchange"
}

fn is_rejection(entry: &Entry) -> bool {
    let rejected = entry.status.is_some_and(|status| matches!(status.as_u16(), 400 | 401 | 403));
    matches!(entry.role, Role::Registry | Role::TokenService) && rejected
}

/// The registry with the credential of its preset, if it has one.
async fn with_password(day: &Day) -> DaySetup {
    let mut preset = day.preset.clone();
    // One pull per minute exceeds the rate limit of a Docker Hub account without a subscription.
    preset.pull.rate_limit = None;
    if preset.capabilities.auth_kind == AuthKind::Basic {
        return with_password_file(day.registry, preset).await;
    }
    let setup = Box::pin(start(day.registry, preset, Credential::Valid)).await;
    let (manifest, blob) = (setup.private_manifest(), setup.private_layer());
    DaySetup::unchanging((setup.sim, setup.registry, setup.regpass), manifest, blob, ())
}

/// The registry with a password that expires after twelve hours, in a file that another program rewrites every six.
async fn with_password_file(profile: &str, preset: Preset) -> DaySetup {
    let (user, _) = preset.capabilities.credential.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let path = file.display();
    std::fs::write(&file, "").unwrap();
    let credential =
        format!("credential = {{ source = \"password\", username = '{user}', password = {{ file = \"{path}\" }} }}");
    let table = registry_table(profile, &credential);
    let setup = Box::pin(RegistrySetup::start(preset, Image::single("app", ImageFormat::Oci), &table)).await;
    let renew = move |minute: u64, registry: &Registry| {
        if minute.is_multiple_of(PASSWORD_INTERVAL) {
            let password = format!("password {minute}");
            std::fs::write(&file, &password).unwrap();
            registry.add_user(user, &password);
        }
    };
    let (manifest, blob) = (setup.private_manifest(), setup.private_layer());
    let parts = (setup.sim, setup.registry, setup.regpass);
    DaySetup { every_minute: Box::new(renew), ..DaySetup::unchanging(parts, manifest, blob, folder) }
}

fn layer_of(repository: &str) -> String {
    format!("/v2/{repository}/blobs/{}", Image::single("app", ImageFormat::Oci).blobs[0].digest)
}

async fn azure() -> DaySetup {
    let setup = AzureSetup::new().await;
    let regpass = setup.start_with_secret();
    let AzureSetup { sim, registry, azure, directory } = setup;
    DaySetup::unchanging((sim, registry, regpass), APP.to_owned(), layer_of("acme/images/app"), (azure, directory))
}

async fn google() -> DaySetup {
    let setup = GoogleSetup::new().await;
    let regpass = setup.start_with_service_account();
    let GoogleSetup { sim, registry, google, folder } = setup;
    DaySetup::unchanging((sim, registry, regpass), APP.to_owned(), layer_of("acme/images/app"), (google, folder))
}

async fn ecr_private() -> DaySetup {
    let setup = ecr::EcrSetup::new().await;
    let regpass = setup.start("", &ecr::ENVIRONMENT);
    let registry = setup.registry.clone();
    with_aws(setup, registry, regpass)
}

async fn ecr_public() -> DaySetup {
    let setup = ecr::EcrSetup::new().await;
    let registry = setup.sim.start(Preset::ecr_public()).await;
    registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
    setup.aws.grant_access_to(&registry);
    let host = "public.ecr.aws";
    let table = harness::registry_table(host, &registry, "credential = { source = \"ecr\" }");
    let text = format!("default_registry = \"{host}\"\n{table}");
    let regpass = Regpass::start_with_environment(&setup.sim, &text, setup.environment(&ecr::ENVIRONMENT));
    with_aws(setup, registry, regpass)
}

fn with_aws(setup: ecr::EcrSetup, registry: Registry, regpass: Regpass) -> DaySetup {
    let ecr::EcrSetup { sim, aws, home, .. } = setup;
    DaySetup::unchanging((sim, registry, regpass), ecr::APP.to_owned(), layer_of("team/app"), (aws, home))
}
