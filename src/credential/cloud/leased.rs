//! A provider that caches the credentials a cloud issues: single flight, and renewal in the background while in use.
//!
//! While the cloud fails, the cached credential is used until it expires. After that requests fail with the cloud's
//! error.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::failure::Failure;
use crate::base::lease::Lease;
use crate::base::lease_cache::{Covers, LeaseCache, Obtained};
use crate::credential::absence::Absences;
use crate::credential::{
    Credential, CredentialError, CredentialFuture, CredentialId, CredentialProvider, CredentialRequest, FileProblems,
    ResolvedCredential,
};

/// Issues credentials that expire: one cloud with its settings.
pub(super) trait CredentialIssuer: fmt::Debug + Send + Sync + 'static {
    /// What a credential depends on, such as account and region. Requests with equal keys share one credential.
    type Key: Clone + fmt::Debug + Eq + Hash + Send + Sync + 'static;

    /// The key of the credential for this request.
    ///
    /// Called for every request, so implementations must send nothing over the network. They may read a watched file.
    fn key(&self, request: &CredentialRequest<'_>) -> impl Future<Output = Result<Self::Key, CredentialError>> + Send;

    /// Fetches a new credential from the cloud.
    fn issue(self: Arc<Self>, key: Self::Key) -> impl Future<Output = Result<IssuedCredential, Failure>> + Send;

    /// As [`CredentialProvider::file_problems`].
    fn file_problems(&self) -> FileProblems<'_> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// A credential that the cloud has just issued.
#[derive(Debug)]
pub(super) struct IssuedCredential {
    pub(super) credential: Credential,
    /// Counted from the start of the request for the credential.
    pub(super) lifetime: Duration,
    /// As [`ResolvedCredential::source`].
    pub(super) source: String,
}

/// The provider for one issuer.
#[derive(Debug)]
pub(super) struct LeasedProvider<I: CredentialIssuer> {
    issuer: Arc<I>,
    /// The profiles of the registries that the cloud's credentials are for. Other registries get the anonymous one.
    profiles: &'static [&'static str],
    leases: Arc<LeaseCache<(), CacheKey<I::Key>, ResolvedCredential, Failure>>,
    reported: Arc<ReportedErrors<I::Key>>,
    rejections: Mutex<Rejections<I::Key>>,
    /// Held while a rejected credential is renewed, so that concurrent requests wait for the new one.
    renewal: tokio::sync::Mutex<()>,
    absences: Absences,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CacheKey<K>(K);

/// The cached credentials that registries rejected, and when each key was last renewed because of a rejection.
#[derive(Debug)]
struct Rejections<K> {
    rejected: HashSet<CredentialId>,
    renewed: HashMap<K, Instant>,
}

/// The error that was last logged for each key whose renewal fails.
type ReportedErrors<K> = Mutex<HashMap<K, String>>;

impl<I: CredentialIssuer> LeasedProvider<I> {
    pub(super) fn new(issuer: I, profiles: &'static [&'static str]) -> Self {
        Self {
            issuer: Arc::new(issuer),
            profiles,
            leases: LeaseCache::new(1, MAX_CREDENTIALS),
            reported: Arc::default(),
            rejections: Mutex::new(Rejections { rejected: HashSet::new(), renewed: HashMap::new() }),
            renewal: tokio::sync::Mutex::default(),
            absences: Absences::default(),
        }
    }

    async fn resolve(&self, request: &CredentialRequest<'_>) -> Result<ResolvedCredential, CredentialError> {
        if !self.profiles.contains(&request.profile) {
            let (registry, profiles) = (request.registry, self.profiles.join(", "));
            let why = format!(
                "the cloud's credentials are for registries with the profile {profiles}, and {registry} has the profile {}",
                request.profile
            );
            return Ok(self.absences.report(registry, &why));
        }
        let key = CacheKey(self.issuer.key(request).await?);
        let obtained = self.cached_or_issued(&key).await?;
        let obtained =
            if obtained.is_newly_fetched { obtained } else { self.renew_if_rejected(&key, obtained).await? };
        Ok(obtained.lease.value.clone().with_expiry(obtained.lease.expires()))
    }

    async fn cached_or_issued(&self, key: &CacheKey<I::Key>) -> Result<Obtained<ResolvedCredential>, CredentialError> {
        self.leases.get_or_fetch(&(), key, self.issuance(key)).await.map_err(|failure| failure.error.clone())
    }

    /// Replaces a cached credential that a registry rejected, at most once a minute for each key. If the cloud issues
    /// no new one, the rejected one is kept: the registry may have been wrong.
    async fn renew_if_rejected(
        &self,
        key: &CacheKey<I::Key>,
        cached: Obtained<ResolvedCredential>,
    ) -> Result<Obtained<ResolvedCredential>, CredentialError> {
        if !self.rejections().rejected.contains(&cached.lease.value.id) {
            return Ok(cached);
        }
        let _renewal = self.renewal.lock().await;
        let cached = self.cached_or_issued(key).await?;
        if !self.rejections().may_renew(cached.lease.value.id, &key.0) {
            return Ok(cached);
        }
        let newer = self.leases.get_or_fetch_newer(&(), key, &cached.lease, self.issuance(key)).await;
        newer.map_err(|failure| failure.error.clone())
    }

    /// The fetch function for a key: calls the issuer, and logs its errors while an older credential is still cached.
    fn issuance(
        &self,
        key: &CacheKey<I::Key>,
    ) -> impl Fn() -> BoxFuture<'static, Result<Lease<ResolvedCredential>, Failure>> + Send + Sync + 'static {
        let (issuer, reported, CacheKey(key)) = (self.issuer.clone(), self.reported.clone(), key.clone());
        let leases = Arc::downgrade(&self.leases);
        move || {
            let (issuer, reported, key, leases) = (issuer.clone(), reported.clone(), key.clone(), leases.clone());
            Box::pin(async move {
                let started = Instant::now();
                let outcome = timeout(DEADLINE, issuer.issue(key.clone())).await.unwrap_or_else(|_| {
                    let limit = DEADLINE.as_secs();
                    Err(CredentialError::new(format!("the cloud issued no credential within {limit} s")).into())
                });
                let is_cached = || {
                    let cached = leases.upgrade().map(|leases| leases.snapshot()).unwrap_or_default();
                    cached.iter().any(|((), cached, _)| cached.0 == key)
                };
                report(&reported, &key, outcome.as_ref().err(), is_cached);
                let IssuedCredential { credential, lifetime, source } = outcome?;
                Ok(Lease::new(ResolvedCredential::new(credential, source), started, lifetime))
            })
        }
    }

    fn rejections(&self) -> MutexGuard<'_, Rejections<I::Key>> {
        self.rejections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Rejections<K> {
    /// Whether the caller may renew the `cached` credential now. True at most once a minute for each key, even if the
    /// registry rejects every new credential.
    fn may_renew(&mut self, cached: CredentialId, key: &K) -> bool {
        let now = Instant::now();
        self.renewed.retain(|_, renewed| now < *renewed + MIN_RENEWAL_INTERVAL);
        let may_renew = self.rejected.contains(&cached) && !self.renewed.contains_key(key);
        if may_renew {
            self.renewed.insert(key.clone(), now);
        }
        may_renew
    }
}

impl<I: CredentialIssuer> CredentialProvider for LeasedProvider<I> {
    fn fetch<'a>(&'a self, request: &'a CredentialRequest<'a>) -> CredentialFuture<'a> {
        Box::pin(self.resolve(request))
    }

    fn note_rejected(&self, id: CredentialId) {
        let cached: Vec<CredentialId> = self.leases.snapshot().iter().map(|((), _, lease)| lease.value.id).collect();
        let rejected = &mut self.rejections().rejected;
        rejected.retain(|id| cached.contains(id));
        if cached.contains(&id) {
            rejected.insert(id);
        }
    }

    fn note_suspect(&self, id: CredentialId) {
        let now = Instant::now();
        let is_new = self.leases.snapshot().iter().any(|((), _, lease)| lease.value.id == id && lease.is_new(now));
        if !is_new {
            self.note_rejected(id);
        }
    }

    fn file_problems(&self) -> FileProblems<'_> {
        self.issuer.file_problems()
    }
}

/// Logs each new renewal error once, and once when renewals work again. Without a cached credential an error is not
/// logged: the requests that wait for the credential fail with it.
fn report<K: Clone + Eq + Hash>(
    reported: &ReportedErrors<K>,
    key: &K,
    failure: Option<&Failure>,
    is_cached: impl FnOnce() -> bool,
) {
    let mut reported = reported.lock().unwrap_or_else(PoisonError::into_inner);
    match failure {
        Some(failure) => {
            let error = &failure.error.message;
            if reported.get(key) != Some(error) && is_cached() {
                warn!(
                    blame = "credential",
                    error, "cannot renew a cloud credential; the last one is used until it expires"
                );
                if reported.len() < MAX_CREDENTIALS || reported.contains_key(key) {
                    reported.insert(key.clone(), error.clone());
                }
            }
        }
        None if reported.remove(key).is_some() => info!("the cloud issues credentials again"),
        None => {}
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Covers for CacheKey<K> {
    fn covers(&self, wanted: &Self) -> bool {
        self == wanted
    }
}

const MAX_CREDENTIALS: usize = 256;
/// Limit for issuing one credential, all requests to the cloud together.
const DEADLINE: Duration = Duration::from_secs(20);
/// The least time between two renewals of one key's credential because of rejections.
const MIN_RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
