//! Checks the files that can change without a reload: secrets, docker configurations and htpasswd files.
//!
//! The code that uses such a file reads it when needed. In addition, all of them are read here every second, so that a
//! problem is reported before a request fails, and a file that breaks before its first use has a last valid content.
//! `regpass check` reads them once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::build::upload_keys;
use crate::base::clock::WallClock;
use crate::base::watched_file::FileProblem;
use crate::clients::AuthMethod;
use crate::config::model::{ClientRule, Config, CredentialSource};
use crate::config::problem::Problem;
use crate::credential::environment::{AUTH_VARIABLE, Environment};
use crate::credential::secret_reader::SecretReader;
use crate::credential::sources::Sources;
use crate::credential::{CredentialProvider, FileOddity};
use crate::net::dial::Network;
use crate::observe::reloads::UnusableFile;
use crate::proxy::Proxy;

/// The parts of regpass that read files while they are in use, each with the configuration key that names its file.
#[derive(Debug, Default)]
pub(super) struct WatchedFiles {
    credentials: Vec<(String, Arc<dyn CredentialProvider>)>,
    upload_keys: Vec<Arc<SecretReader>>,
    auth_methods: Vec<(String, Arc<AuthMethod>)>,
}

impl WatchedFiles {
    /// Collects what reads files from a configuration; `auth_methods` are those of its listeners, as returned by
    /// [`Listeners::auth_methods`](super::listeners::Listeners::auth_methods).
    pub(super) fn new(
        config: &Config,
        sources: &Sources,
        auth_methods: impl Iterator<Item = (String, Arc<AuthMethod>)>,
    ) -> Self {
        let mut files = Self { upload_keys: upload_keys(config, sources), ..Self::default() };
        let of_registries = config.registries.iter().flat_map(|registry| {
            let table = format!("registry.\"{}\"", registry.pattern);
            let own = (format!("{table}.credential"), &registry.credential);
            let of_identity = format!("{table}.identity.credential");
            let identities =
                registry.identities.iter().map(move |identity| (of_identity.clone(), &identity.credential));
            std::iter::once(own).chain(identities)
        });
        // Registries that share a source are reported once, under the first key.
        for (key, source) in
            std::iter::once(("credential".to_owned(), &config.defaults.credential)).chain(of_registries)
        {
            let provider = sources.provider_for(source);
            if !files.credentials.iter().any(|(_, known)| Arc::ptr_eq(known, &provider)) {
                files.credentials.push((key, provider));
            }
        }
        for (key, auth_method) in auth_methods {
            if !files.auth_methods.iter().any(|(_, known)| Arc::ptr_eq(known, &auth_method)) {
                files.auth_methods.push((key, auth_method));
            }
        }
        files
    }

    /// Reads all files and returns the problems. Reads concurrently, so that a hanging file system delays only its own
    /// files.
    async fn check(&self) -> Vec<UnusableFile> {
        let credentials =
            self.credentials.iter().map(async |(key, provider)| unusable(key, provider.file_problems().await));
        let keys = self.upload_keys.iter().map(async |secret| unusable("upload_key", secret.problem().await));
        let auth_methods =
            self.auth_methods.iter().map(async |(key, auth_method)| unusable(key, auth_method.problem().await));
        let (credentials, keys, auth_methods) =
            tokio::join!(join_all(credentials), join_all(keys), join_all(auth_methods));
        [credentials, keys, auth_methods].into_iter().flatten().flatten().collect()
    }
}

/// What in the files of a configuration has no effect and is probably a mistake; each with the file that has it.
async fn oddities(files: &WatchedFiles) -> Vec<Problem> {
    let found = join_all(files.credentials.iter().map(|(_, provider)| provider.file_oddities())).await;
    let problem =
        |FileOddity { file, key, what, hint }| Problem { file: Some(file), key, what, hint, ..Problem::default() };
    found.into_iter().flatten().map(problem).collect()
}

fn unusable(key: &str, problems: impl IntoIterator<Item = FileProblem>) -> Vec<UnusableFile> {
    let unusable = |FileProblem { message, has_last_good }| UnusableFile {
        key: key.into(),
        message: message.into(),
        has_last_good,
    };
    problems.into_iter().map(unusable).collect()
}

/// The current problems of the secrets, docker configurations and htpasswd files that a configuration names, and what in
/// them has no effect; blocking.
pub fn problems(config: &Config) -> Vec<Problem> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let environment = Environment::process();
    let unused = unused_variable(config, &environment);
    let sources = Sources::new(environment, Network::Tcp, WallClock::System);
    let auth_methods = config.all_listeners().enumerate().filter_map(|(index, listener)| {
        let auth_method = listener.clients.as_ref()?;
        Some((auth_method_key(auth_method, index >= config.listeners.len())?, Arc::new(AuthMethod::new(auth_method))))
    });
    let files = WatchedFiles::new(config, &sources, auth_methods);
    let unusable = runtime.block_on(files.check());
    let mut problems: Vec<Problem> = Vec::new();
    for UnusableFile { key, message, .. } in unusable {
        let problem =
            Problem { file: config.file.clone(), key: key.into(), what: message.into(), ..Problem::default() };
        // Listeners often share a file.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    for oddity in runtime.block_on(oddities(&files)).into_iter().chain(unused) {
        // Two sources may use the same file.
        if !problems.contains(&oddity) {
            problems.push(oddity);
        }
    }
    problems
}

/// The problem that the variable with a docker file is set, but no credential of the configuration uses it.
fn unused_variable(config: &Config, environment: &Environment) -> Option<Problem> {
    environment.variable(AUTH_VARIABLE)?;
    let of_registries = config.registries.iter().flat_map(|registry| {
        std::iter::once(&registry.credential).chain(registry.identities.iter().map(|identity| &identity.credential))
    });
    let is_used = std::iter::once(&config.defaults.credential)
        .chain(of_registries)
        .any(|source| matches!(source, CredentialSource::Docker { file: None }));
    (!is_used).then(|| Problem {
        key: AUTH_VARIABLE.to_owned(),
        what: "the variable has no effect: no credential has the source docker without a `file`".to_owned(),
        hint: "use --docker-credentials, or credential = { source = \"docker\" }".to_owned(),
        ..Problem::default()
    })
}

/// The configuration key of an authentication method that reads files while it is in use; `None` for certificates,
/// which only a reload reads.
pub(super) fn auth_method_key(auth_method: &ClientRule, is_admin: bool) -> Option<String> {
    let name = match auth_method {
        ClientRule::Htpasswd(_) => "htpasswd",
        ClientRule::Bearer(_) => "bearer",
        ClientRule::MutualTls(_) => return None,
    };
    let table = if is_admin { "admin" } else { "listener" };
    Some(format!("{table}.clients.{name}"))
}

/// Checks the files of the active configuration every second and reports their problems, until the sender is dropped.
pub(super) async fn watch(mut active: watch::Receiver<Arc<WatchedFiles>>, proxy: Arc<Proxy>) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let files = active.borrow_and_update().clone();
        for UnusableFile { key, message, has_last_good } in proxy.reloads.set_unusable_files(files.check().await) {
            // For a file with a last valid content, the code that keeps the content logs the problem.
            if !has_last_good {
                warn!(blame = "configuration", %key, "{message}");
            }
        }
        tokio::select! {
            _ = ticks.tick() => {}
            changed = active.changed() => if changed.is_err() { return },
        }
    }
}

/// Time between two checks: the code that uses a file reads it at most this often as well.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Variables, load, overrides::Overrides};

    #[test]
    fn variable_with_a_docker_file_that_nothing_uses_is_a_problem() {
        let set = Environment::new([(AUTH_VARIABLE, r#"{"auths": {}}"#)]);
        let problem = |more: &[&str], environment: &Environment| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            std::io::Write::write_all(&mut file, more.join("\n").as_bytes()).unwrap();
            let overrides = Overrides { config: Some(file.path().to_owned()), ..Overrides::default() };
            unused_variable(&load(&overrides, Variables::new(&|_| None)).unwrap(), environment)
        };
        let docker = "credential = { source = 'docker' }";
        for more in [&[][..], &["credential = { source = 'docker', file = '/x' }"]] {
            let problem = problem(more, &set).unwrap();
            assert_eq!(problem.key, AUTH_VARIABLE);
        }
        assert_eq!(problem(&[], &Environment::default()), None);
        assert_eq!(problem(&[docker], &set), None);
        assert_eq!(problem(&["[registry.'a.io']", docker], &set), None);
        let identity = ["[[registry.'a.io'.identity]]", "repositories = ['x/**']", docker];
        assert_eq!(problem(&identity, &set), None);
    }
}
