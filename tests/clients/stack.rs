//! The usual setup of a test: a real registry that requires a credential, regpass in front of it, and an image.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::image::Image;
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;
use crate::token_service::{REFRESH_TOKEN, TokenRequest, TokenService};

/// The configured registry beside the default one, `docker.io`. Its alias is `reg`.
pub(crate) const SECOND_REGISTRY: &str = "registry.test:5000";

/// A token lifetime within which no test finishes so late that a token is renewed.
pub(crate) const LONG_LIFETIME: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) regpass: Regpass,
    pub(crate) registry: Registry,
    /// In the registry as `library/python:3.12` and as `toddysm/python:3.12`.
    pub(crate) image: Image,
    /// Number of token requests before regpass started.
    setup_token_requests: usize,
    /// The configuration regpass was started with.
    pub(crate) config: String,
    _secrets: TempDir,
    home: TempDir,
}

/// The credential that regpass is configured with.
#[derive(Clone, Copy, Debug)]
enum CredentialKind {
    Password,
    RefreshToken,
}

/// Declares the module `$test` with two tests, which run the function `$test` with a registry that requires a password and
/// with one that requires tokens. `$runner` sets up the stack and checks it afterwards; the default is [`run_pull_test`].
macro_rules! in_both_auth_modes {
    ($test:ident) => {
        $crate::stack::in_both_auth_modes!($test, $crate::stack::run_pull_test);
    };
    ($test:ident, $runner:path) => {
        mod $test {
            use $crate::registry::Registry;
            use $crate::stack::LONG_LIFETIME;

            #[tokio::test]
            async fn with_htpasswd() {
                $runner(Registry::start_htpasswd().await, super::$test).await;
            }

            #[tokio::test]
            async fn with_tokens() {
                $runner(Registry::start_token(LONG_LIFETIME).await, super::$test).await;
            }
        }
    };
}
pub(crate) use in_both_auth_modes;

/// Runs the steps of a client that only pulls, then checks what must hold after every client.
pub(crate) async fn run_pull_test(registry: Registry, steps: impl AsyncFnOnce(&Stack)) {
    let stack = Stack::start(registry).await;
    steps(&stack).await;
    stack.assert_one_token_per_scope();
    stack.finish();
}

impl Stack {
    /// Starts regpass with a password. The default registry, `docker.io`, serves only `library/python`;
    /// [`SECOND_REGISTRY`] also serves `toddysm/python`. A client that pulls the latter has therefore reached the second
    /// registry by its name, by its alias or by `?ns=`.
    pub(crate) async fn start(registry: Registry) -> Self {
        Self::start_with(registry, "").await
    }

    /// Like [`start`](Self::start), with a configuration that begins with `head`.
    pub(crate) async fn start_with(registry: Registry, head: &str) -> Self {
        Self::start_with_credential(registry, CredentialKind::Password, head).await
    }

    /// Like [`start`](Self::start), but regpass has a refresh token instead of a password.
    pub(crate) async fn start_with_refresh_token(registry: Registry) -> Self {
        Self::start_with_credential(registry, CredentialKind::RefreshToken, "").await
    }

    async fn start_with_credential(registry: Registry, kind: CredentialKind, head: &str) -> Self {
        let image = Image::build("python");
        for name in ["library/python:3.12", "toddysm/python:3.12"] {
            registry.push(&image, name).await;
            assert_eq!(registry.digest(name).await, image.digest, "{name} in the registry itself");
        }
        let secrets = tempfile::tempdir().expect("a directory for secrets");
        let setup_token_requests = registry.tokens.as_ref().map_or(0, |tokens| tokens.requests().len());
        let config = head.to_owned() + &config(&registry, kind, secrets.path());
        let regpass = Regpass::start(&config).await;
        let home = tempfile::tempdir().expect("a directory for the client");
        Self { regpass, registry, image, setup_token_requests, config, _secrets: secrets, home }
    }

    /// The directory in which the client keeps its state.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The token requests that regpass has sent.
    pub(crate) fn token_requests(&self) -> Vec<TokenRequest> {
        let requests = self.registry.tokens.as_ref().map(TokenService::requests);
        requests.unwrap_or_default().split_off(self.setup_token_requests)
    }

    pub(crate) fn assert_one_token_per_scope(&self) {
        let mut seen = HashSet::new();
        for request in self.token_requests() {
            assert!(seen.insert(request.scopes.clone()), "a second token for {:?}", request.scopes);
        }
    }

    /// Stops regpass and returns its log, after checking that every line is JSON and that it contains no secret.
    pub(crate) fn finish(self) -> Vec<String> {
        let requests = self.token_requests();
        assert!(requests.iter().all(|request| request.token.is_some()), "rejected token requests: {requests:?}");
        let mut secrets: Vec<String> = requests.into_iter().filter_map(|request| request.token).collect();
        secrets.extend([PASSWORD.to_owned(), STANDARD.encode(format!("{USER}:{PASSWORD}")), REFRESH_TOKEN.to_owned()]);

        let log = self.regpass.stop();
        for line in &log {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
            assert!(!secrets.iter().any(|secret| line.contains(secret)), "a secret in the log: {line}");
        }
        log
    }
}

fn config(registry: &Registry, kind: CredentialKind, secrets: &Path) -> String {
    let file = secrets.join("secret");
    let (secret, credential) = match kind {
        CredentialKind::Password => (PASSWORD, format!("source = 'password', username = '{USER}', password")),
        CredentialKind::RefreshToken => (REFRESH_TOKEN, "source = 'identity', token".to_owned()),
    };
    fs::write(&file, secret).expect("the secret is written");
    let file = file.display();
    let address = registry.address;
    let realm_hosts: Vec<String> = registry.tokens.iter().map(|tokens| tokens.address.to_string()).collect();
    format!(
        r#"
        [[listener]]
        address = "127.0.0.1:0"

        [registry."docker.io"]
        url = "http://{address}"
        repositories = ["library/**"]
        credential = {{ {credential} = {{ file = '{file}' }} }}
        realm_hosts = {realm_hosts:?}

        [registry."{SECOND_REGISTRY}"]
        url = "http://{address}"
        alias = "reg"
        credential = {{ {credential} = {{ file = '{file}' }} }}
        realm_hosts = {realm_hosts:?}
        "#
    )
}
