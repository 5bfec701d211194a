//! Why a cloud lends nothing: which step, where, and what to do about it.

use std::fmt::Display;
use std::time::Duration;

use crate::base::lease_cache::{Abandoned, FetchError};
use crate::credential::CredentialError;

/// One step on the way to a login.
#[derive(Debug)]
pub(super) struct Step {
    /// What it does, as the subject of "failed": `asking the metadata server`.
    pub(super) doing: &'static str,
    /// What to do about a refusal.
    pub(super) hint: &'static str,
}

impl Step {
    /// The cloud said no: asked again it would say so again.
    pub(super) fn refused(&self, host: &str, why: impl Display) -> Failure {
        Failure { is_refusal: true, ..self.failed(host, format_args!("{why}; {}", self.hint)) }
    }

    /// Something broke on the way, which may pass.
    pub(super) fn failed(&self, host: &str, why: impl Display) -> Failure {
        CredentialError::new(format!("{} at {host} failed: {why}", self.doing)).into()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: CredentialError,
    pub(super) is_refusal: bool,
    /// The time at the endpoint that refused, since 1970: it may refuse a date.
    pub(super) their_time: Option<Duration>,
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self { error, is_refusal: false, their_time: None }
    }
}

impl From<Abandoned> for Failure {
    fn from(_: Abandoned) -> Self {
        CredentialError::new("asking a cloud for a login ended in a panic; please report it").into()
    }
}

impl FetchError for Failure {
    fn remembered_for(&self) -> Option<Duration> {
        self.is_refusal.then_some(REFUSAL_MEMORY)
    }
}

/// How long a refusal is believed without asking again.
const REFUSAL_MEMORY: Duration = Duration::from_secs(5);
