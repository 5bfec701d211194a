//! The credential source `ecr` for a private registry and for ECR Public, with AWS simulated.

mod failures;
mod key_sources;
mod passwords;
mod renewal;

use std::ffi::OsString;
use std::time::Duration;

use regpass::base::clock::WallClock;
use regpass::credential::environment::Environment;
use tempfile::TempDir;

use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{Aws, Image, ImageFormat, Preset, Registry, Sim};

pub const HOST: &str = "123456789012.dkr.ecr.eu-west-2.amazonaws.com";
pub const APP: &str = "/v2/team/app/manifests/1";
pub const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const ENVIRONMENT: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];

/// The key and session token of a temporary session, added to the account by [`EcrSetup::add_session`].
const SESSION: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "session/secret"),
    ("AWS_SESSION_TOKEN", "session+token=="),
];

/// The requests of a first pull.
pub const COLD: [&str; 3] = [
    "registry GET /v2/team/app/manifests/1 anonymous 401",
    "ecr-api POST / other 200",
    "registry GET /v2/team/app/manifests/1 basic:AWS 200",
];

/// A private registry, its AWS account, and a home folder.
pub struct EcrSetup {
    pub sim: Sim,
    pub aws: Aws,
    pub registry: Registry,
    pub home: TempDir,
}

impl EcrSetup {
    /// The registry has `team/app`, and the account has the access key of [`ENVIRONMENT`].
    pub async fn new() -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::ecr()).await;
        registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
        let aws = Aws::start(&sim).await;
        aws.grant_access_to(&registry);
        aws.add_key(ID, SECRET);
        Self { sim, aws, registry, home: tempfile::tempdir().unwrap() }
    }

    /// regpass with these further configuration keys in `credential`, and these environment variables.
    pub fn start(&self, keys: &str, variables: &[(&str, &str)]) -> Regpass {
        self.start_with_clock_ahead(keys, variables, 0)
    }

    /// As [`start`](Self::start), with a clock that is `ahead` seconds ahead of the simulation's, or behind it if
    /// negative.
    fn start_with_clock_ahead(&self, keys: &str, variables: &[(&str, &str)], ahead: i64) -> Regpass {
        let clock = WallClock::tokio(Duration::from_secs(self.sim.clock().unix().saturating_add_signed(ahead)));
        let credential = format!("credential = {{ source = \"ecr\"{keys} }}");
        let text = format!("default_registry = \"{HOST}\"\n{}", registry_table(HOST, &self.registry, &credential));
        Regpass::start_with_clock(&self.sim, &text, self.environment(variables), clock)
    }

    /// regpass in front of another registry at `host`, which is the default one. `more` is added to its table.
    fn start_for(&self, host: &str, registry: &Registry, more: &str, variables: &[(&str, &str)]) -> Regpass {
        let text = format!("default_registry = \"{host}\"\n{}", registry_table(host, registry, more));
        Regpass::start_with_environment(&self.sim, &text, self.environment(variables))
    }

    /// regpass with the access key in the environment, after a first pull, with an empty ledger.
    async fn start_warm(&self) -> Regpass {
        let regpass = self.start("", &ENVIRONMENT);
        assert_eq!(regpass.get(APP).await.status, 200);
        self.sim.ledger().take();
        regpass
    }

    /// Starts regpass with these configuration keys and environment variables, and returns the message of a pull that fails.
    async fn failed_pull_message(&self, keys: &str, variables: &[(&str, &str)]) -> String {
        error_message(&self.start(keys, variables).get(APP).await)
    }

    fn add_session(&self) {
        let [(_, id), (_, secret), (_, token)] = SESSION;
        self.aws.add_session_key(id, secret, token);
    }

    /// An environment with these variables, `HOME` and the endpoints of the simulated AWS.
    pub fn environment(&self, variables: &[(&str, &str)]) -> Environment {
        let endpoints = self.aws.endpoint_variables();
        let endpoints = endpoints.iter().map(|(name, value)| (*name, OsString::from(value)));
        let given = variables.iter().map(|(name, value)| (*name, OsString::from(value)));
        Environment::new(given.chain([("HOME", self.home.path().into())]).chain(endpoints))
    }

    /// Writes a file below the home folder, and returns its absolute path.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The number of password requests since the ledger was emptied; empties it.
    fn password_requests(&self) -> usize {
        self.sim.ledger().take().iter().filter(|entry| entry.server == "ecr-api").count()
    }

    /// Asserts that `texts` contain none of the account's secrets and none of the passwords it issued.
    #[track_caller]
    fn assert_no_secrets_in(&self, texts: &[&str]) {
        for secret in self.aws.secrets() {
            for text in texts {
                assert!(!text.contains(&secret), "{secret} in {text}");
            }
        }
    }
}

/// The message of an error reply.
#[track_caller]
fn error_message(reply: &Reply) -> String {
    assert!(!reply.status.is_success(), "{reply:?}");
    reply.error().1
}
