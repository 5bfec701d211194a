//! Why a cloud issued no credential: which step failed, at which host, why, and what to do.

use std::fmt::Display;
use std::time::Duration;

use crate::base::lease_cache::{FetchAborted, FetchError};
use crate::credential::CredentialError;

/// One step on the way to a credential (a request, reading a file, running a program), described for error messages.
#[derive(Debug)]
pub(super) struct Step {
    /// The subject of "failed": `asking the metadata server`.
    pub(super) action: &'static str,
    /// What to do when the endpoint denies the request.
    pub(super) hint: &'static str,
}

impl Step {
    pub(super) const fn new(action: &'static str, hint: &'static str) -> Self {
        Self { action, hint }
    }

    /// The endpoint denied the request. A retry would be denied as well.
    pub(super) fn denied(&self, host: &str, why: impl Display) -> Failure {
        Failure { is_denial: true, ..self.failed(host, format_args!("{why}; {}", self.hint)) }
    }

    /// The request failed for a reason that may be temporary.
    pub(super) fn failed(&self, host: &str, why: impl Display) -> Failure {
        CredentialError::new(format!("{} at {host} failed: {why}", self.action)).into()
    }
}

/// A failed step.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: CredentialError,
    pub(super) is_denial: bool,
    /// The `Date` of an error response, since 1970: the endpoint may have rejected a timestamp of this machine's clock.
    pub(super) server_time: Option<Duration>,
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self { error, is_denial: false, server_time: None }
    }
}

impl From<FetchAborted> for Failure {
    fn from(_: FetchAborted) -> Self {
        CredentialError::new("fetching a credential from a cloud panicked; please report this as a bug").into()
    }
}

impl FetchError for Failure {
    fn negative_ttl(&self) -> Option<Duration> {
        self.is_denial.then_some(DENIAL_TTL)
    }
}

/// How long a denial stays in the negative cache.
const DENIAL_TTL: Duration = Duration::from_secs(5);
