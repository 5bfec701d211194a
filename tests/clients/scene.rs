//! The stage of every test: a real registry that wants a credential, regpass in front of it, an image to pull.

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
use crate::token_service::{Asked, REFRESH_TOKEN, TokenService};

/// A configured registry beside the default one, with the alias `reg`.
pub(crate) const NS: &str = "registry.test:5000";

/// Long enough that no token is renewed while a test runs.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// What regpass logs in with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Login {
    Password,
    RefreshToken,
}

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) regpass: Regpass,
    pub(crate) registry: Registry,
    pub(crate) image: Image,
    /// Tokens signed before regpass started.
    prologue: usize,
    /// What regpass was started with.
    pub(crate) config: String,
    _secrets: TempDir,
    home: TempDir,
}

/// Declares the tests `htpasswd` and `token`: the same act in front of either kind of registry.
macro_rules! in_both_modes {
    ($act:ident) => {
        #[tokio::test]
        async fn htpasswd() {
            crate::scene::play(crate::registry::Registry::start_htpasswd().await, $act).await;
        }

        #[tokio::test]
        async fn token() {
            crate::scene::play(crate::registry::Registry::start_token(crate::scene::LONG).await, $act).await;
        }
    };
}
pub(crate) use in_both_modes;

/// Lets a client act, then asks of regpass what must hold behind every client.
pub(crate) async fn play(registry: Registry, act: impl AsyncFnOnce(&Scene)) {
    let scene = Scene::set(registry, Login::Password).await;
    act(&scene).await;
    scene.assert_one_token_per_scope();
    scene.close();
}

impl Scene {
    /// The image is there as `library/python:3.12`, which the default registry shows, and as `toddysm/python:3.12`,
    /// which only [`NS`] shows: a client that gets it has come by `?ns=`, by the alias or by that name.
    pub(crate) async fn set(registry: Registry, login: Login) -> Self {
        Self::set_with(registry, login, "").await
    }

    /// The same; the configuration begins with `head`.
    pub(crate) async fn set_with(registry: Registry, login: Login, head: &str) -> Self {
        let image = Image::build("python");
        for name in ["library/python:3.12", "toddysm/python:3.12"] {
            registry.push(&image, name).await;
            assert_eq!(registry.digest(name).await, image.digest, "pulled directly");
        }
        let secrets = tempfile::tempdir().expect("a directory for secrets");
        let prologue = registry.tokens.as_ref().map_or(0, |tokens| tokens.ledger().len());
        let config = head.to_owned() + &config(&registry, login, secrets.path());
        let regpass = Regpass::start(&config).await;
        let home = tempfile::tempdir().expect("a directory for the client");
        Self { regpass, registry, image, prologue, config, _secrets: secrets, home }
    }

    /// Where the client keeps its state.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What regpass asked of the token service.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let ledger = self.registry.tokens.as_ref().map(TokenService::ledger);
        ledger.unwrap_or_default().split_off(self.prologue)
    }

    /// How many requests of regpass the registry refused for want of a credential.
    pub(crate) fn refusals(&self) -> usize {
        self.registry.refusals()
    }

    pub(crate) fn assert_one_token_per_scope(&self) {
        let mut seen = HashSet::new();
        for asked in self.asked() {
            assert!(seen.insert(asked.scopes.clone()), "a second token for {:?}", asked.scopes);
        }
    }

    /// Ends regpass and returns its log: JSON throughout, and no secret in it.
    pub(crate) fn close(self) -> Vec<String> {
        let asked = self.asked();
        assert!(asked.iter().all(|asked| asked.token.is_some()), "refused: {asked:?}");
        let mut secrets: Vec<String> = asked.into_iter().filter_map(|asked| asked.token).collect();
        secrets.extend([PASSWORD.to_owned(), STANDARD.encode(format!("{USER}:{PASSWORD}")), REFRESH_TOKEN.to_owned()]);

        let log = self.regpass.stop();
        for line in &log {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
            assert!(!secrets.iter().any(|secret| line.contains(secret)), "a secret in the log: {line}");
        }
        log
    }
}

fn config(registry: &Registry, login: Login, secrets: &Path) -> String {
    let file = secrets.join("secret");
    let (secret, credential) = match login {
        Login::Password => (PASSWORD, format!("source = 'password', username = '{USER}', password")),
        Login::RefreshToken => (REFRESH_TOKEN, "source = 'identity', token".to_owned()),
    };
    fs::write(&file, secret).expect("secret file");
    let file = file.display();
    let url = registry.address;
    let realm_hosts: Vec<String> = registry.tokens.iter().map(|tokens| tokens.address.to_string()).collect();
    format!(
        r#"
        [[listener]]
        address = "127.0.0.1:0"

        [registry."docker.io"]
        url = "http://{url}"
        repositories = ["library/**"]
        credential = {{ {credential} = {{ file = '{file}' }} }}
        realm_hosts = {realm_hosts:?}

        [registry."{NS}"]
        url = "http://{url}"
        alias = "reg"
        credential = {{ {credential} = {{ file = '{file}' }} }}
        realm_hosts = {realm_hosts:?}
        "#
    )
}
