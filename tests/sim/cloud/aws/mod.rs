//! AWS: keys and roles, and the services that turn them into a registry's password.
//!
//! Sources: the API references of ECR, ECR Public and STS; "Signature Version 4"; "Use `IMDSv2`"; "Task IAM role"; "EKS
//! Pod Identity". The names of hosts are the real ones; in memory they are reached over plain http.

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
use super::super::world::Sim;

/// An account of AWS and its endpoints.
pub struct Aws {
    pub ecr: Arc<Server>,
    pub ecr_public: Arc<Server>,
    pub sts: Arc<Server>,
    /// The portal of the identity center.
    pub sso: Arc<Server>,
    /// 169.254.169.254.
    pub instance: Arc<Server>,
    /// 169.254.170.2 of ECS.
    pub task: Arc<Server>,
    /// 169.254.170.23 of EKS.
    pub pod: Arc<Server>,
    account: Arc<Account>,
}

/// What the endpoints know.
struct Account {
    clock: Clock,
    keys: Keys,
    registries: Mutex<Vec<Registry>>,
    /// How long a registry's password lasts.
    lifetime: Mutex<Duration>,
}

/// Where the private registry is.
const REGION: &str = "eu-west-2";

impl Aws {
    /// The role that may log in.
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
            lifetime: Mutex::new(Duration::from_secs(12 * 60 * 60)),
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

    /// The passwords that the account hands out are good at `registry`.
    pub fn admits(&self, registry: &Registry) {
        lock(&self.account.registries).push(registry.clone());
    }

    /// A key of a user, without an end.
    pub fn key(&self, id: &str, secret: &str) {
        self.account.keys.put(id, Key::of_user(secret));
    }

    /// A key of a user who may assume [`Self::ROLE`] and nothing else.
    pub fn weak_key(&self, id: &str, secret: &str) {
        self.account.keys.put(id, Key { may_log_in: false, ..Key::of_user(secret) });
    }

    /// A key with a session token.
    pub fn session(&self, id: &str, secret: &str, token: &str) {
        self.account.keys.put(id, Key { token: Some(token.to_owned()), ..Key::of_user(secret) });
    }

    pub fn remove_key(&self, id: &str) {
        self.account.keys.remove(id);
    }

    /// Every key that there is ends now.
    pub fn end_keys(&self) {
        self.account.keys.end_all(self.account.clock);
    }

    /// How long the passwords last from now on.
    pub fn passwords_last(&self, lifetime: Duration) {
        *lock(&self.account.lifetime) = lifetime;
    }

    /// Every secret that was ever handed out or put in.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.account.keys.secrets();
        secrets.extend([Self::WEB_IDENTITY, Self::POD_TOKEN, Self::SSO_TOKEN].map(ToOwned::to_owned));
        secrets
    }

    /// The variables that lead regpass to these endpoints instead of the real ones, which take TLS only.
    pub fn endpoints(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_ECR", self.ecr.origin()),
            ("AWS_ENDPOINT_URL_ECR_PUBLIC", self.ecr_public.origin()),
            ("AWS_ENDPOINT_URL_STS", self.sts.origin()),
        ]
    }
}
