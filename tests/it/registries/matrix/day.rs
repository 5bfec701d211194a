//! Twenty-four hours of one pull a minute, as a client of each registry has them.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::time::sleep;

use super::row::{Login, World, config, is_token_call};
use super::table::Table;
use crate::clouds::{AzureScene, Scene, ecr};
use crate::harness::{Regpass, table};
use crate::sim::{Entry, Family, Image, Preset, Registry, Role, Shown, Sim};

const MINUTES: u64 = 24 * 60;
/// A manifest that is new needs its blobs: every so many minutes.
const BLOB_EVERY: u64 = 10;
/// Whoever has a password for twelve hours fetches another in time.
const PASSWORD_EVERY: u64 = 6 * 60;

/// A registry with a kind of login.
pub struct Day {
    pub registry: &'static str,
    pub login: &'static str,
    preset: Preset,
    begin: fn(&Day) -> LocalBoxFuture<'_, Scenery>,
}

/// What a day takes place in.
struct Scenery {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    manifest: String,
    blob: String,
    /// Done every minute.
    meanwhile: Meanwhile,
    /// What the clouds' folders hold on to.
    _kept: Box<dyn std::any::Any>,
}

/// Sees the minute.
type Meanwhile = Box<dyn Fn(u64, &Registry)>;

#[derive(Default)]
pub struct Report {
    pulls: usize,
    failures: usize,
    tokens: usize,
    credentials: usize,
    /// 401s, and what other refusals of a credential look like, of registry and token service; the first is the
    /// challenge.
    refused: usize,
}

pub fn all() -> Vec<Day> {
    let usual = |(registry, preset): (&'static str, Preset)| {
        let login = match preset.can.shown {
            Shown::Nothing => "none",
            Shown::Basic => "password file",
            Shown::Token => "password",
        };
        Day { registry, login, preset, begin: |day| Box::pin(of_password(day)) }
    };
    let lent = [
        Day { registry: "acr", login: "azure", preset: Preset::acr(), begin: |_| azure().boxed_local() },
        Day { registry: "ecr", login: "ecr", preset: Preset::ecr(), begin: |_| ecr_private().boxed_local() },
        Day {
            registry: "ecr-public",
            login: "ecr",
            preset: Preset::ecr_public(),
            begin: |_| ecr_public().boxed_local(),
        },
        Day { registry: "google", login: "google", preset: Preset::google(), begin: |_| google().boxed_local() },
    ];
    let mut days: Vec<Day> = Preset::all().into_iter().map(usual).chain(lent).collect();
    days.sort_by_key(|day| (day.registry == "generic", day.registry));
    days
}

impl Day {
    pub async fn pass(&self) -> Report {
        let Scenery { sim, registry, regpass, manifest, blob, meanwhile, _kept } = (self.begin)(self).await;
        let mut report = Report::default();
        let (mut refusals, mut failed) = (Vec::new(), Vec::new());
        for minute in 0..MINUTES {
            meanwhile(minute, &registry);
            for target in [Some(&manifest), (minute % BLOB_EVERY == 0).then_some(&blob)].into_iter().flatten() {
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
                if is_refusal(&entry) {
                    refusals.push(format!("after {minute} minutes: {entry}"));
                }
            }
        }
        assert!(failed.is_empty(), "{} pulls failed, the first {}", failed.len(), failed[0]);
        report.refused = refusals.len().saturating_sub(1);
        assert_eq!(report.refused, 0, "nothing that is over is shown to anybody: {:#?}", &refusals[1..]);
        let most = self.most_tokens() + 2 * report.credentials;
        assert!(report.tokens <= most, "{} token calls, and {most} are enough", report.tokens);
        sim.finish();
        report
    }

    /// Each token is used for at least two thirds of the time it is said to live, as far as its login lasts.
    fn most_tokens(&self) -> usize {
        let tokens = &self.preset.tokens;
        match self.preset.can.shown {
            Shown::Token => {
                let told = if self.tells_lifetime() { tokens.lifetime } else { UNTOLD };
                usize::try_from(MINUTES * 60 * 3 / 2 / told.as_secs()).unwrap() + 2
            }
            Shown::Basic | Shown::Nothing => 0,
        }
    }

    /// GHCR's tokens say nothing about themselves.
    fn tells_lifetime(&self) -> bool {
        self.preset.tokens.expires_in.is_some() || self.preset.tokens.mint != crate::sim::Mint::Ghcr
    }

    fn lives(&self) -> String {
        let lifetime = match self.preset.can.shown {
            Shown::Nothing => return "-".to_owned(),
            Shown::Basic => self.preset.gate.password_lifetime,
            Shown::Token if self.tells_lifetime() => Some(self.preset.tokens.lifetime),
            Shown::Token => None,
        };
        lifetime.map_or_else(|| "not told".to_owned(), |lifetime| humantime::format_duration(lifetime).to_string())
    }
}

/// What a token is taken to live that tells nothing (distribution, token specification).
const UNTOLD: Duration = Duration::from_secs(60);

impl Report {
    pub fn table() -> Table {
        Table::new([
            "registry",
            "login",
            "token or password lives",
            "pulls",
            "failed",
            "401s after the first",
            "token calls",
            "credential calls",
        ])
    }

    pub fn cells(&self, day: &Day) -> Vec<String> {
        let Self { pulls, failures, refused, tokens, credentials } = self;
        let numbers = [pulls, failures, refused, tokens, credentials].map(ToString::to_string);
        [day.registry.to_owned(), day.login.to_owned(), day.lives()].into_iter().chain(numbers).collect()
    }
}

/// A cloud's server, or the exchange that an Azure registry has itself.
fn is_credential_call(entry: &Entry) -> bool {
    const CLOUDS: [&str; 4] = ["ecr-api", "ecr-public-api", "oauth2", "directory"];
    CLOUDS.contains(&&*entry.server) || entry.path == "/oauth2/exchange"
}

fn is_refusal(entry: &Entry) -> bool {
    let refused = entry.status.is_some_and(|status| matches!(status.as_u16(), 400 | 401 | 403));
    matches!(entry.role, Role::Registry | Role::Token) && refused
}

/// Each registry with a stored login, where it has one.
async fn of_password(day: &Day) -> Scenery {
    let mut preset = day.preset.clone();
    // A pull a minute is more than an account without a subscription may have.
    preset.pull.rate = None;
    if preset.can.shown == Shown::Basic {
        return of_password_file(day.registry, preset).await;
    }
    let World { sim, registry, regpass, image, can } = Box::pin(World::of(day.registry, preset, Login::Good)).await;
    let blob = &image.blobs[0].digest;
    Scenery {
        manifest: format!("/v2/{}/manifests/1", can.private),
        blob: format!("/v2/{}/blobs/{blob}", can.private),
        meanwhile: Box::new(|_, _| ()),
        _kept: Box::new(()),
        sim,
        registry,
        regpass,
    }
}

/// A password that ends after hours, in a file that somebody writes anew every six.
async fn of_password_file(profile: &str, preset: Preset) -> Scenery {
    let sim = Sim::memory();
    let registry = Box::pin(sim.start(preset)).await;
    let image = Image::single("app", Family::Oci);
    registry.furnish("1", &image);
    let can = registry.preset().can.clone();
    let (user, _) = can.login.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let path = file.display();
    std::fs::write(&file, "").unwrap();
    let login =
        format!("credential = {{ source = \"password\", username = '{user}', password = {{ file = \"{path}\" }} }}");
    let regpass = Regpass::start(&sim, &config(profile, &registry, &login));
    let renew = move |minute: u64, registry: &Registry| {
        if minute.is_multiple_of(PASSWORD_EVERY) {
            let password = format!("password {minute}");
            std::fs::write(&file, &password).unwrap();
            registry.user(user, &password);
        }
    };
    Scenery {
        manifest: format!("/v2/{}/manifests/1", can.private),
        blob: format!("/v2/{}/blobs/{}", can.private, image.blobs[0].digest),
        meanwhile: Box::new(renew),
        _kept: Box::new(folder),
        sim,
        registry,
        regpass,
    }
}

fn blob_of(repository: &str) -> String {
    format!("/v2/{repository}/blobs/{}", Image::single("app", Family::Oci).blobs[0].digest)
}

async fn azure() -> Scenery {
    let scene = AzureScene::new().await;
    let regpass = scene.with_secret();
    let AzureScene { sim, registry, azure, directory } = scene;
    let (manifest, blob) = (crate::clouds::APP.to_owned(), blob_of("acme/images/app"));
    let kept = Box::new((azure, directory));
    Scenery { sim, registry, regpass, manifest, blob, meanwhile: Box::new(|_, _| ()), _kept: kept }
}

async fn google() -> Scenery {
    let scene = Scene::new().await;
    let regpass = scene.with_account();
    let Scene { sim, registry, google, folder } = scene;
    let (manifest, blob) = (crate::clouds::APP.to_owned(), blob_of("acme/images/app"));
    let kept = Box::new((google, folder));
    Scenery { sim, registry, regpass, manifest, blob, meanwhile: Box::new(|_, _| ()), _kept: kept }
}

async fn ecr_private() -> Scenery {
    let stage = ecr::Stage::new().await;
    let regpass = stage.start("", &ecr::ENVIRONMENT);
    let registry = stage.registry.clone();
    of_aws(stage, registry, regpass)
}

async fn ecr_public() -> Scenery {
    let stage = ecr::Stage::new().await;
    let registry = stage.sim.start(Preset::ecr_public()).await;
    registry.keep("team/app", "1", &Image::single("app", Family::Oci));
    stage.aws.admits(&registry);
    let host = "public.ecr.aws";
    let login = table(host, &registry, "credential = { source = \"ecr\" }");
    let text = format!("default_registry = \"{host}\"\n{login}");
    let regpass = Regpass::start_in(&stage.sim, &text, stage.surroundings(&ecr::ENVIRONMENT));
    of_aws(stage, registry, regpass)
}

fn of_aws(stage: ecr::Stage, registry: Registry, regpass: Regpass) -> Scenery {
    let ecr::Stage { sim, aws, home, .. } = stage;
    let (manifest, blob) = (ecr::APP.to_owned(), blob_of("team/app"));
    let kept = Box::new((aws, home));
    Scenery { sim, registry, regpass, manifest, blob, meanwhile: Box::new(|_, _| ()), _kept: kept }
}
