//! AWS: keys and roles, and the services that issue a registry's password for them.
//!
//! Sources: the API references of ECR, ECR Public and STS; "Signature Version 4"; "Use `IMDSv2`"; "Task IAM role"; "EKS
//! Pod Identity". The host names are the real ones; in memory they are reached over plain http.

mod api;
mod keys;
mod metadata;
mod signature;
mod sts;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;

pub use self::keys::Key;
use self::keys::Keys;
use super::super::call::Call;
use super::super::clock::Clock;
use super::super::ledger::Role;
use super::super::lock;
use super::super::registry::Registry;
use super::super::reply::Reply;
use super::super::server::{Handler, Server};
use super::super::simulation::Sim;

/// A running cloud: an account and the endpoints of AWS.
pub struct Aws {
    pub ecr: Arc<Server>,
    pub ecr_public: Arc<Server>,
    pub sts: Arc<Server>,
    /// The portal of IAM Identity Center.
    pub sso: Arc<Server>,
    /// The metadata service of EC2, 169.254.169.254.
    pub instance: Arc<Server>,
    /// The credential endpoint of ECS, 169.254.170.2.
    pub task: Arc<Server>,
    /// The credential endpoint of EKS Pod Identity, 169.254.170.23.
    pub pod: Arc<Server>,
    account: Arc<Account>,
}

/// The state that the endpoints share.
struct Account {
    clock: Clock,
    keys: Keys,
    registries: Mutex<Vec<Registry>>,
    /// How long a registry's password is valid.
    password_lifetime: Mutex<Duration>,
}

/// The region of the private registry.
const REGION: &str = "eu-west-2";

impl Aws {
    /// The role that may request a registry's password.
    pub const ROLE: &str = "arn:aws:iam::123456789012:role/puller";
    pub const WEB_IDENTITY: &str = "eyJhbGciOiJSUzI1NiJ9.web-identity.signature";
    pub const POD_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.pod-identity.signature";
    pub const SSO_TOKEN: &str = "aoaAAAAAGsso-access-token:MGUCMQ";
    pub const TASK_PATH: &str = "/v2/credentials/b7a1c1de-0000-4000-8000-5f1e6d8c9a0b";

    pub async fn start(sim: &Sim) -> Self {
        let account = Arc::new(Account {
            clock: sim.clock(),
            keys: Keys::default(),
            registries: Mutex::default(),
            password_lifetime: Mutex::new(Duration::from_secs(12 * 60 * 60)),
        });
        let serve = async |host: &str, name, answer: fn(&Account, &Call, &[u8]) -> Reply| {
            let account = Arc::clone(&account);
            let handler: Handler = Arc::new(move |mut call| {
                let account = Arc::clone(&account);
                async move {
                    let body = call.read().await;
                    sts::note_action(&mut call, &body);
                    answer(&account, &call, &body)
                }
                .boxed()
            });
            sim.serve(host, Role::Other(name), handler).await
        };
        Self {
            ecr: serve("api.ecr.eu-west-2.amazonaws.com", "ecr-api", api::private).await,
            ecr_public: serve("api.ecr-public.us-east-1.amazonaws.com", "ecr-public-api", api::public).await,
            sts: serve("sts.eu-west-2.amazonaws.com", "sts", sts::answer).await,
            sso: serve("portal.sso.eu-west-2.amazonaws.com", "sso", metadata::portal).await,
            instance: serve("169.254.169.254", "imds", metadata::instance).await,
            task: serve("169.254.170.2", "task", metadata::task).await,
            pod: serve("169.254.170.23", "pod", metadata::pod).await,
            account,
        }
    }

    /// Makes the passwords that the account issues valid at `registry`.
    pub fn grant_access_to(&self, registry: &Registry) {
        lock(&self.account.registries).push(registry.clone());
    }

    /// Adds a key of a user; it does not expire.
    pub fn add_key(&self, id: &str, secret: &str) {
        self.account.keys.put(id, Key::of_user(secret));
    }

    /// Adds a key of a user that may assume [`Self::ROLE`] and nothing else.
    pub fn add_assume_role_key(&self, id: &str, secret: &str) {
        self.account.keys.put(id, Key { may_get_password: false, ..Key::of_user(secret) });
    }

    /// Adds a key with a session token.
    pub fn add_session_key(&self, id: &str, secret: &str, token: &str) {
        self.account.keys.put(id, Key { token: Some(token.to_owned()), ..Key::of_user(secret) });
    }

    pub fn remove_key(&self, id: &str) {
        self.account.keys.remove(id);
    }

    /// Expires every key.
    pub fn expire_keys(&self) {
        self.account.keys.expire_all(self.account.clock);
    }

    /// Sets how long new passwords are valid.
    pub fn set_password_lifetime(&self, lifetime: Duration) {
        *lock(&self.account.password_lifetime) = lifetime;
    }

    /// Every secret that was ever issued or added.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.account.keys.secrets();
        secrets.extend([Self::WEB_IDENTITY, Self::POD_TOKEN, Self::SSO_TOKEN].map(ToOwned::to_owned));
        secrets
    }

    /// Environment variables that make regpass use these endpoints instead of the real ones, which require TLS.
    pub fn endpoint_variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_ECR", self.ecr.origin()),
            ("AWS_ENDPOINT_URL_ECR_PUBLIC", self.ecr_public.origin()),
            ("AWS_ENDPOINT_URL_STS", self.sts.origin()),
        ]
    }
}
