//! What the unit tests of credentials share, and tests about all sources.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::docker::file::DockerFile;
use super::environment::Environment;
use super::sources::Sources;
use super::*;
use crate::base::clock::WallClock;
use crate::base::secret::Secret;
use crate::config::model::{CredentialSource, SecretSource, ValueSource};
use crate::net::address_policy::{AddressPolicy, RegistryAddress};
use crate::net::client::RequestTimeouts;
use crate::net::dial::Network;
use crate::net::tls::TlsFiles;
use crate::profile;

pub(super) const HUB: &[&str] = &["https://index.docker.io/v1/"];

pub(super) fn host(text: &str) -> RegistryHost {
    RegistryHost::parse(text).unwrap()
}

/// The credential that `provider` has for an image `registry` or `registry/repository`.
pub(super) async fn fetch(
    provider: &dyn CredentialProvider,
    image: &str,
) -> Result<ResolvedCredential, CredentialError> {
    let (registry, repository) = image.split_once('/').unwrap_or((image, ""));
    provider.fetch(&RequestContext::new(registry, repository).request()).await
}

/// The owned parts of a [`CredentialRequest`].
pub(super) struct RequestContext {
    pub(super) registry: RegistryHost,
    pub(super) repository: Option<RepositoryName>,
    pub(super) profile: &'static str,
    pub(super) origin: Origin,
}

impl RequestContext {
    pub(super) fn new(registry: &str, repository: &str) -> Self {
        Self {
            registry: host(registry),
            repository: RepositoryName::parse(repository).ok(),
            profile: profile::by_host(&host(registry)).unwrap_or_else(profile::fallback).name,
            origin: Origin::https(registry).unwrap(),
        }
    }

    pub(super) fn request(&self) -> CredentialRequest<'_> {
        static CLIENT: LazyLock<Arc<HttpClient>> = LazyLock::new(|| {
            let tls = TlsFiles::default().client_config(false).unwrap();
            let limits = RequestTimeouts { connect: Duration::from_secs(1), response_head: Duration::from_secs(1) };
            Arc::new(HttpClient::new(Network::Tcp, AddressPolicy::Registry(RegistryAddress::default()), tls, limits))
        });
        CredentialRequest {
            registry: &self.registry,
            legacy_keys: if ["docker.io", "dhi.io"].contains(&self.registry.as_str()) { HUB } else { &[] },
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
    SecretSource::Value { secret: Secret::new(text), source: ValueSource::Literal }
}

/// Writes a program `docker-credential-<name>`: a shell script with the server in `$server` and its own folder in
/// `$here`.
///
/// A shell writes the file, because a program cannot be run while it is open for writing in this process or in one
/// forked from it meanwhile.
pub(super) fn helper(folder: &Path, name: &str, script: &str) {
    let text = format!("#!/bin/sh\nhere={}\nread -r server\n{script}\n", folder.display());
    let file = folder.join(format!("docker-credential-{name}"));
    let write = r#"printf %s "$2" > "$1.new" && chmod +x "$1.new" && mv "$1.new" "$1""#;
    let written = Command::new("sh").args(["-c", write, "sh"]).arg(&file).arg(text).status().unwrap();
    assert!(written.success());
}

/// An environment with the given folder as `PATH` and `HOME`, and nothing else.
pub(super) fn environment(folder: &Path) -> Environment {
    Environment::new([("PATH", folder), ("HOME", folder)])
}

#[test]
fn different_credentials_have_different_ids() {
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
    for (i, first) in all.iter().enumerate() {
        for (j, second) in all.iter().enumerate() {
            assert_eq!(CredentialId::of(first) == CredentialId::of(second), i == j, "{first:?} {second:?}");
        }
    }
}

#[tokio::test]
async fn no_debug_output_or_error_contains_a_secret() {
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
    let variable = SecretSource::Value { secret: Secret::new(SECRET), source: ValueSource::Variable("TOKEN".into()) };

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
        let provider = sources.provider_for(&source);
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
    let file = DockerFile::parse(&config, &std::fs::read_to_string(&config).unwrap());
    assert!(!format!("{file:?}").contains(SECRET), "{file:?}");
}
