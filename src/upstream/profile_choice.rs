//! Which profile applies to a registry: known from the configuration or the host, or detected from its answers.

use std::sync::OnceLock;

use http::HeaderMap;

use crate::base::host::RegistryHost;
use crate::oci::challenge::Challenge;
use crate::profile::{self, Profile};

/// The profile of one registry.
#[derive(Debug)]
pub enum ProfileChoice {
    /// Named by the configuration, or the one that lists the registry's host.
    Known(&'static Profile),
    /// Detected from the registry's first challenge, or from an earlier answer with a profile's signs. The fallback
    /// profile applies until then.
    Detected(OnceLock<&'static Profile>),
}

impl ProfileChoice {
    /// The configured profile, else the one that lists the host, else one still to be detected.
    pub fn new(configured: Option<&'static Profile>, host: &RegistryHost) -> Self {
        match configured.or_else(|| profile::by_host(host)) {
            Some(profile) => Self::Known(profile),
            None => Self::Detected(OnceLock::new()),
        }
    }

    /// Whether the profile has yet to be detected.
    pub fn is_undetected(&self) -> bool {
        matches!(self, Self::Detected(detected) if detected.get().is_none())
    }

    /// The profile that applies now.
    pub fn profile(&self) -> &'static Profile {
        match self {
            Self::Known(profile) => profile,
            Self::Detected(detected) => detected.get().copied().unwrap_or_else(profile::fallback),
        }
    }

    /// The profile that would apply if this were the registry's first challenge.
    pub fn profile_given(&self, challenges: &[Challenge], headers: &HeaderMap) -> &'static Profile {
        let detected = if self.is_undetected() { profile::by_challenge(challenges, headers) } else { None };
        detected.unwrap_or_else(|| self.profile())
    }

    /// Fixes the profile by the registry's first challenge: the one whose signs match, else the fallback. A known or
    /// already detected profile stays.
    pub fn settle(&self, challenges: &[Challenge], headers: &HeaderMap) {
        self.detect(challenges, headers);
        if let Self::Detected(detected) = self {
            detected.get_or_init(profile::fallback);
        }
    }

    /// Fixes the profile if a profile's signs match an answer, which need not be a challenge. Otherwise the profile
    /// stays undetected.
    pub fn detect(&self, challenges: &[Challenge], headers: &HeaderMap) {
        if let Self::Detected(detected) = self
            && let Some(profile) = profile::by_challenge(challenges, headers)
        {
            detected.get_or_init(|| profile);
        }
    }

    /// Whether both are the same known profile, or both are detected by challenge.
    pub(super) fn is_equivalent_to(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => one.name == other.name,
            (Self::Detected(_), Self::Detected(_)) => true,
            _ => false,
        }
    }
}
