//! From the configuration's sources to providers, one for each source however often it is named.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::CredentialProvider;
use super::cloud::client::Clouds;
use super::cloud::{self, Surroundings};
use super::docker::Docker;
use super::environment::Environment;
use super::fixed::Fixed;
use super::helper::{Helper, Helpers};
use super::secret::Reading;
use crate::base::clock::WallClock;
use crate::config::model::{CredentialSource, SecretSource};
use crate::net::dial::Network;

/// Builds providers, and knows those that are in use.
///
/// Outlives reloads: a source that the new configuration names like the old one keeps what it knows, its last good
/// value among it.
#[derive(Debug)]
pub struct Sources {
    surroundings: Arc<Surroundings>,
    helpers: Arc<Helpers>,
    providers: InUse<CredentialSource, dyn CredentialProvider>,
    upload_keys: InUse<SecretSource, Reading>,
}

/// What was built for each source, as long as somebody has it.
#[derive(Debug)]
struct InUse<S, T: ?Sized>(Mutex<Vec<(S, Weak<T>)>>);

impl Sources {
    pub fn new(environment: Environment, network: Network, clock: WallClock) -> Self {
        Self {
            helpers: Helpers::new(&environment),
            surroundings: Arc::new(Surroundings { environment, clouds: Clouds::new(network), clock }),
            providers: InUse(Mutex::default()),
            upload_keys: InUse(Mutex::default()),
        }
    }

    pub fn build(&self, source: &CredentialSource) -> Arc<dyn CredentialProvider> {
        self.providers.get(source, || self.provider(source))
    }

    /// A key of the configuration's `upload_key`.
    pub fn upload_key(&self, source: &SecretSource) -> Arc<Reading> {
        self.upload_keys.get(source, || Arc::new(Reading::upload_key(source)))
    }

    fn provider(&self, source: &CredentialSource) -> Arc<dyn CredentialProvider> {
        let helpers = || self.helpers.clone();
        match source {
            CredentialSource::Anonymous => Arc::new(Fixed::anonymous()),
            CredentialSource::Password { username, password } => Arc::new(Fixed::password(username, password)),
            CredentialSource::Identity { token, username } => Arc::new(Fixed::identity(token, username.as_ref())),
            CredentialSource::Bearer { token } => Arc::new(Fixed::bearer(token)),
            CredentialSource::Docker { file: Some(path) } => Arc::new(Docker::file(path.clone(), helpers())),
            CredentialSource::Docker { file: None } => {
                Arc::new(Docker::usual_places(&self.surroundings.environment, helpers()))
            }
            CredentialSource::Cloud(cloud) => cloud::provider(cloud, &self.surroundings),
            CredentialSource::Helper { name, timeout } => Arc::new(Helper::new(name, *timeout, helpers())),
        }
    }
}

impl<S: Clone + PartialEq, T: ?Sized> InUse<S, T> {
    fn get(&self, source: &S, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut built = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        built.retain(|(_, built)| built.strong_count() > 0);
        let known = built.iter().find(|(known, _)| known == source).and_then(|(_, known)| known.upgrade());
        known.unwrap_or_else(|| {
            let new = make();
            built.push((source.clone(), Arc::downgrade(&new)));
            new
        })
    }
}

#[cfg(test)]
mod tests;
