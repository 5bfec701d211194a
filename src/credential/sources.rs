//! Builds providers for the configuration's credential sources: one for each distinct source, however often it occurs.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::CredentialProvider;
use super::cloud::client::CloudClient;
use super::cloud::{self, CloudContext};
use super::configured::ConfiguredCredential;
use super::docker::DockerProvider;
use super::environment::Environment;
use super::helper::{HelperProvider, Helpers};
use super::secret_reader::SecretReader;
use crate::base::clock::WallClock;
use crate::config::model::{CredentialSource, SecretSource};
use crate::net::dial::Network;

/// Builds providers and keeps track of those in use.
///
/// It outlives a reload of the configuration: a source that occurs unchanged in the new configuration keeps its
/// provider and so its cached and last good values.
#[derive(Debug)]
pub struct Sources {
    cloud: Arc<CloudContext>,
    helpers: Arc<Helpers>,
    providers: SharedWhileUsed<CredentialSource, dyn CredentialProvider>,
    upload_keys: SharedWhileUsed<SecretSource, SecretReader>,
}

/// The value built for each source, for as long as it is referenced elsewhere.
#[derive(Debug)]
struct SharedWhileUsed<S, T: ?Sized>(Mutex<Vec<(S, Weak<T>)>>);

impl Sources {
    pub fn new(environment: Environment, network: Network, clock: WallClock) -> Self {
        Self {
            helpers: Helpers::new(&environment),
            cloud: Arc::new(CloudContext { environment, client: CloudClient::new(network), clock }),
            providers: SharedWhileUsed(Mutex::default()),
            upload_keys: SharedWhileUsed(Mutex::default()),
        }
    }

    /// The provider for a source.
    pub fn provider_for(&self, source: &CredentialSource) -> Arc<dyn CredentialProvider> {
        self.providers.get_or_build(source, || self.new_provider(source))
    }

    /// The reader for one of the keys in the configuration's `upload_key`.
    pub fn upload_key(&self, source: &SecretSource) -> Arc<SecretReader> {
        self.upload_keys.get_or_build(source, || Arc::new(SecretReader::new_upload_key(source)))
    }

    fn new_provider(&self, source: &CredentialSource) -> Arc<dyn CredentialProvider> {
        let helpers = || self.helpers.clone();
        match source {
            CredentialSource::Anonymous => Arc::new(ConfiguredCredential::anonymous()),
            CredentialSource::Password { username, password } => {
                Arc::new(ConfiguredCredential::password(username, password))
            }
            CredentialSource::Identity { token, username } => {
                Arc::new(ConfiguredCredential::identity(token, username.as_ref()))
            }
            CredentialSource::Bearer { token } => Arc::new(ConfiguredCredential::bearer(token)),
            CredentialSource::Docker { file: Some(path) } => Arc::new(DockerProvider::file(path.clone(), helpers())),
            CredentialSource::Docker { file: None } => {
                Arc::new(DockerProvider::default_files(&self.cloud.environment, helpers()))
            }
            CredentialSource::Cloud(cloud) => cloud::provider(cloud, &self.cloud),
            CredentialSource::Helper { name, timeout } => Arc::new(HelperProvider::new(name, *timeout, helpers())),
        }
    }
}

impl<S: Clone + PartialEq, T: ?Sized> SharedWhileUsed<S, T> {
    fn get_or_build(&self, source: &S, build: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|(_, value)| value.strong_count() > 0);
        let known = shared.iter().find(|(known, _)| known == source).and_then(|(_, known)| known.upgrade());
        known.unwrap_or_else(|| {
            let new = build();
            shared.push((source.clone(), Arc::downgrade(&new)));
            new
        })
    }
}

#[cfg(test)]
mod tests;
