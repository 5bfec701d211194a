//! What the tests of this floor share, and what holds for all its types.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use super::docker::file::DockerFile;
use super::environment::Environment;
use super::sources::Sources;
use super::*;
use crate::base::clock::WallClock;
use crate::base::secret::Secret;
use crate::config::model::{CredentialSource, SecretSource, ValueOrigin};
use crate::net::address::{Guard, Home};
use crate::net::client::Limits;
use crate::net::dial::Network;
use crate::net::tls::TlsFiles;
use crate::profile;

pub(super) const HUB: &[&str] = &["https://index.docker.io/v1/"];

pub(super) fn host(text: &str) -> RegistryHost {
    RegistryHost::parse(text).unwrap()
}

/// What `provider` has for `registry`, or for `registry/repository`.
pub(super) async fn fetch(provider: &dyn CredentialProvider, image: &str) -> Result<Found, CredentialError> {
    let (registry, repository) = image.split_once('/').unwrap_or((image, ""));
    provider.fetch(&Asker::new(registry, repository).wanted()).await
}

/// Somebody who wants a login.
pub(super) struct Asker {
    pub(super) registry: RegistryHost,
    pub(super) repository: Option<RepositoryName>,
    pub(super) profile: &'static str,
    pub(super) origin: Origin,
}

impl Asker {
    pub(super) fn new(registry: &str, repository: &str) -> Self {
        Self {
            registry: host(registry),
            repository: RepositoryName::parse(repository).ok(),
            profile: profile::by_host(&host(registry)).unwrap_or_else(profile::fallback).name,
            origin: Origin::https(registry).unwrap(),
        }
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        static CLIENT: LazyLock<Arc<Client>> = LazyLock::new(|| {
            let tls = TlsFiles::default().client_config(false).unwrap();
            let limits = Limits { connect: Duration::from_secs(1), head: Duration::from_secs(1) };
            Arc::new(Client::new(Network::Tcp, Guard::Registry(Home::default()), tls, limits))
        });
        Wanted {
            registry: &self.registry,
            legacy_keys: if self.registry.as_str() == "docker.io" { HUB } else { &[] },
            repository: self.repository.as_ref(),
            profile: self.profile,
            origin: &self.origin,
            client: &CLIENT,
        }
    }
}

pub(super) fn password(username: &str, password: &str) -> Credential {
    Credential::Password { username: username.into(), password: Secret::new(password) }
}

pub(super) fn literal(text: &str) -> SecretSource {
    SecretSource::Value { secret: Secret::new(text), origin: ValueOrigin::Literal }
}

/// Puts `text` where `path` is by renaming, as editors do.
pub(super) fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, path).unwrap();
}

/// Makes `docker-credential-<name>` of the lines of a shell script that has the server in `$server` and its own folder
/// in `$here`.
///
/// A shell writes it: a program that is open for writing in this process, or in one that was forked from it meanwhile,
/// cannot be run.
pub(super) fn helper(folder: &Path, name: &str, script: &str) {
    let text = format!("#!/bin/sh\nhere={}\nread -r server\n{script}\n", folder.display());
    let file = folder.join(format!("docker-credential-{name}"));
    let write = r#"printf %s "$2" > "$1.new" && chmod +x "$1.new" && mv "$1.new" "$1""#;
    let written = Command::new("sh").args(["-c", write, "sh"]).arg(&file).arg(text).status().unwrap();
    assert!(written.success());
}

/// An environment of nothing but the given folder, for programs and as home.
pub(super) fn environment(folder: &Path) -> Environment {
    Environment::read(|name| matches!(name, "PATH" | "HOME").then(|| OsString::from(folder)))
}

/// Every line logged on this thread while the guard lives.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn lines(&self, containing: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(containing)).map(Into::into).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn ids_tell_credentials_apart() {
    let secret = || Secret::new("hunter2");
    let all = [
        Credential::Anonymous,
        password("u", "hunter2"),
        password("", "uhunter2"),
        password("uhunter2", ""),
        Credential::Identity { username: None, token: secret() },
        Credential::Identity { username: Some("u".into()), token: secret() },
        Credential::Bearer { token: secret() },
    ];
    for (i, one) in all.iter().enumerate() {
        for (j, other) in all.iter().enumerate() {
            assert_eq!(CredentialId::of(one) == CredentialId::of(other), i == j, "{one:?} {other:?}");
        }
    }
}

#[tokio::test]
async fn nothing_prints_a_secret() {
    const SECRET: &str = "hunter2";
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(
        &config,
        r#"{"auths": {"a.io": {"username": "u", "password": "hunter2"}, "b.io": {"auth": "dTpodW50ZXIy"},
            "c.io": {"auth": "hunter2"}, "https://u:hunter2@a.io": {}, "d.io": {"registrytoken": "hunter2"}, "e.io": {"identitytoken": "hunter2"}},
            "credHelpers": {"f.io": "good", "g.io": "bad", "h.io": "odd"}}"#,
    )
    .unwrap();
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, r#"{"auths": {"a.io": {"auth": ["hunter2"]}}}"#).unwrap();
    let garbage = folder.path().join("garbage.json");
    std::fs::write(&garbage, "hunter2").unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    helper(folder.path(), "good", r#"echo '{"Username":"u","Secret":"hunter2"}'"#);
    helper(folder.path(), "bad", "echo hunter2; echo hunter2 >&2; exit 3");
    helper(folder.path(), "odd", "echo hunter2; echo hunter2 >&2");
    let helper = |name: &str| CredentialSource::Helper { name: name.into(), timeout: Duration::from_secs(10) };
    let variable = SecretSource::Value { secret: Secret::new(SECRET), origin: ValueOrigin::Variable("TOKEN".into()) };

    let sources = Sources::new(environment(folder.path()), Network::Tcp, WallClock::System);
    let mut printed = Vec::new();
    for source in [
        CredentialSource::Anonymous,
        CredentialSource::Password { username: literal("u"), password: literal(SECRET) },
        CredentialSource::Password { username: literal("u"), password: variable },
        CredentialSource::Identity { token: literal(SECRET), username: Some(literal("u")) },
        CredentialSource::Bearer { token: SecretSource::File(secret) },
        CredentialSource::Docker { file: Some(config.clone()) },
        CredentialSource::Docker { file: Some(broken) },
        CredentialSource::Docker { file: Some(garbage) },
        CredentialSource::Docker { file: None },
        helper("good"),
        helper("bad"),
        helper("odd"),
        helper("none"),
    ] {
        let provider = sources.build(&source);
        for registry in ["a.io", "b.io", "c.io", "d.io", "e.io", "f.io", "g.io", "h.io"] {
            let fetched = fetch(&*provider, registry).await;
            if let Err(error) = &fetched {
                printed.push(format!("{error}"));
            }
            printed.push(format!("{fetched:?}"));
        }
        printed.push(format!("{source:?} {provider:?}"));
    }
    printed.push(format!("{sources:?}"));
    let printed = printed.join("\n");
    assert!(printed.contains("[redacted]") && printed.contains("exit status: 3"), "{printed}");
    assert!(!printed.contains(SECRET), "{printed}");
    assert!(!printed.contains("dTpodW50ZXIy"), "{printed}");
    let file = DockerFile::parse(&config, &std::fs::read(&config).unwrap());
    assert!(!format!("{file:?}").contains(SECRET), "{file:?}");
}
