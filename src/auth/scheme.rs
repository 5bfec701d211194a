//! The authentication scheme a registry wants, read from the challenges of a 401.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::realm::{RealmRejected, TrustedRealm, check_realm};
use crate::oci::challenge::Challenge;
use crate::upstream::Upstream;

/// How a registry wants requests to be authorized.
#[derive(Clone, Debug)]
pub enum AuthScheme {
    /// The registry answered a request without authorization. It may still send a challenge for another repository.
    Open,
    Basic,
    Bearer(Arc<Bearer>),
}

/// A Bearer challenge: the token service to use, and what was learned about it.
#[derive(Debug)]
pub struct Bearer {
    /// The token service, or why it may not be called. Credentials that are bearer tokens need none.
    pub realm: Result<TrustedRealm, RealmRejected>,
    /// Absent for registries that name none (NGC, Artifact Registry).
    pub service: Option<Box<str>>,
    /// Whether the registry offers Basic as well.
    pub has_basic_alternative: bool,
    /// Whether the token service refused POST for an identity token and accepted it by GET.
    pub is_get_only: AtomicBool,
}

impl AuthScheme {
    /// Chooses among the challenges of a 401: Bearer before Basic. A Bearer challenge without a realm is ignored, and
    /// one whose realm is rejected counts only where Basic is not offered. `None` if the registry offers neither.
    pub fn from_challenges(upstream: &Upstream, challenges: &[Challenge]) -> Option<Self> {
        let has_basic_alternative = challenges.iter().any(|challenge| challenge.scheme == "basic");
        let mut bearer = challenges.iter().filter(|challenge| challenge.scheme == "bearer");
        let Some((challenge, realm)) = bearer.find_map(|one| Some((one, one.param("realm")?))) else {
            return has_basic_alternative.then_some(Self::Basic);
        };
        let realm = check_realm(upstream, realm);
        if realm.is_err() && has_basic_alternative {
            return Some(Self::Basic);
        }
        let service = challenge.param("service").map(Into::into);
        let is_get_only = AtomicBool::new(false);
        Some(Self::Bearer(Arc::new(Bearer { realm, service, has_basic_alternative, is_get_only })))
    }

    /// Whether every caller can authenticate. Under a Bearer challenge with a rejected realm only a credential that is
    /// itself a bearer token can be sent.
    pub fn has_usable_realm(&self) -> bool {
        self.bearer().is_none_or(|bearer| bearer.realm.is_ok())
    }

    pub fn bearer(&self) -> Option<&Arc<Bearer>> {
        match self {
            Self::Bearer(bearer) => Some(bearer),
            Self::Open | Self::Basic => None,
        }
    }
}

impl Bearer {
    /// Whether a credential should go to the registry as Basic, because the token service is not trusted with it.
    pub fn prefers_basic_for_credentials(&self) -> bool {
        self.has_basic_alternative && !self.realm.as_ref().is_ok_and(TrustedRealm::sees_credentials)
    }

    /// The challenge with the realm's alternative as its realm: the token service may be there if it is not at the realm.
    pub fn alternative(&self) -> Option<Arc<Self>> {
        let realm = self.realm.as_ref().ok()?.alternative()?.clone();
        Some(Arc::new(Self {
            realm: Ok(realm),
            service: self.service.clone(),
            has_basic_alternative: self.has_basic_alternative,
            is_get_only: AtomicBool::new(false),
        }))
    }

    pub fn is_same_token_service(&self, other: &Self) -> bool {
        (&self.realm, &self.service) == (&other.realm, &other.service)
    }
}
