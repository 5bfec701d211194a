//! The credential source `ecr` in front of a private registry and of ECR Public, with AWS simulated.

mod failures;
mod lifetime;
mod passwords;
mod places;

use std::ffi::OsString;
use std::time::Duration;

use regpass::base::clock::WallClock;
use regpass::credential::environment::Environment;
use tempfile::TempDir;

use crate::harness::{Regpass, Reply, table};
use crate::sim::{Aws, Family, Image, Preset, Registry, Sim};

pub const HOST: &str = "123456789012.dkr.ecr.eu-west-2.amazonaws.com";
pub const APP: &str = "/v2/team/app/manifests/1";
pub const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const ENVIRONMENT: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];

/// A pull that nothing was known for.
pub const COLD: [&str; 3] = [
    "registry GET /v2/team/app/manifests/1 anonymous 401",
    "ecr-api POST / other 200",
    "registry GET /v2/team/app/manifests/1 basic:AWS 200",
];

/// A private registry, the account that it belongs to, and a home.
pub struct Stage {
    pub sim: Sim,
    pub aws: Aws,
    pub registry: Registry,
    pub home: TempDir,
}

impl Stage {
    /// With `team/app`, and a key that may log in.
    pub async fn new() -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::ecr()).await;
        registry.keep("team/app", "1", &Image::single("app", Family::Oci));
        let aws = Aws::start(&sim).await;
        aws.admits(&registry);
        aws.key(ID, SECRET);
        Self { sim, aws, registry, home: tempfile::tempdir().unwrap() }
    }

    /// regpass with these keys beside `source`, and these variables.
    pub fn start(&self, keys: &str, variables: &[(&str, &str)]) -> Regpass {
        self.start_at(keys, variables, 0)
    }

    /// As [`start`](Self::start), with a clock that is seconds ahead of everybody else's.
    pub fn start_at(&self, keys: &str, variables: &[(&str, &str)], ahead: i64) -> Regpass {
        let clock = WallClock::tokio(Duration::from_secs(self.sim.clock().unix().saturating_add_signed(ahead)));
        let login = format!("credential = {{ source = \"ecr\"{keys} }}");
        let text = format!("default_registry = \"{HOST}\"\n{}", table(HOST, &self.registry, &login));
        Regpass::start_at(&self.sim, &text, self.surroundings(variables), clock)
    }

    pub fn surroundings(&self, variables: &[(&str, &str)]) -> Environment {
        let endpoints = self.aws.endpoints();
        Environment::read(|name| {
            let home = || (name == "HOME").then(|| OsString::from(self.home.path()));
            let endpoint = || endpoints.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            let given = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            given.or_else(home).or_else(endpoint)
        })
    }

    /// A file below the home, by its whole path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// How often passwords were asked for since the last look.
    pub fn logins(&self) -> usize {
        self.sim.ledger().take().iter().filter(|entry| entry.server == "ecr-api").count()
    }

    /// None of the account's secrets, nor a password that it gave out, is in `texts`.
    #[track_caller]
    pub fn assert_kept(&self, texts: &[&str]) {
        for secret in self.aws.secrets() {
            for text in texts {
                assert!(!text.contains(&secret), "{secret} in {text}");
            }
        }
    }
}

/// What a client is told.
#[track_caller]
pub fn told(reply: &Reply) -> String {
    assert!(!reply.status.is_success(), "{reply:?}");
    reply.error().1
}
