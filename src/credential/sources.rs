//! From the configuration's sources to providers, one for each source however often it is named.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::CredentialProvider;
use super::docker::Docker;
use super::environment::Environment;
use super::fixed::Fixed;
use super::helper::{Helper, Helpers};
use crate::config::model::CredentialSource;

/// Builds providers, and knows those that are in use.
///
/// Outlives reloads: a source that the new configuration names like the old one keeps what it knows, its last good
/// value among it.
#[derive(Debug)]
pub struct Sources {
    environment: Environment,
    helpers: Arc<Helpers>,
    built: Mutex<Vec<(CredentialSource, Weak<dyn CredentialProvider>)>>,
}

impl Sources {
    pub fn new(environment: Environment) -> Self {
        Self { helpers: Helpers::new(&environment), environment, built: Mutex::default() }
    }

    pub fn build(&self, source: &CredentialSource) -> Arc<dyn CredentialProvider> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.retain(|(_, provider)| provider.strong_count() > 0);
        let known = built.iter().find(|(known, _)| known == source).and_then(|(_, provider)| provider.upgrade());
        known.unwrap_or_else(|| {
            let provider = self.provider(source);
            built.push((source.clone(), Arc::downgrade(&provider)));
            provider
        })
    }

    fn provider(&self, source: &CredentialSource) -> Arc<dyn CredentialProvider> {
        let helpers = || self.helpers.clone();
        match source {
            CredentialSource::Anonymous => Arc::new(Fixed::anonymous()),
            CredentialSource::Password { username, password } => Arc::new(Fixed::password(username, password)),
            CredentialSource::Identity { token, username } => Arc::new(Fixed::identity(token, username.as_ref())),
            CredentialSource::Bearer { token } => Arc::new(Fixed::bearer(token)),
            CredentialSource::Docker { file: Some(path) } => Arc::new(Docker::file(path.clone(), helpers())),
            CredentialSource::Docker { file: None } => Arc::new(Docker::usual_places(&self.environment, helpers())),
            CredentialSource::Helper { name, timeout } => Arc::new(Helper::new(name, *timeout, helpers())),
        }
    }
}

#[cfg(test)]
mod tests;
