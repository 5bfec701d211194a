//! What regpass has learned about a registry's referrers: whether it has the API, and which referrers were pushed lately.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::oci::name::RepositoryName;

/// Whether a registry has a referrers API, remembered for ten minutes, and the referrers that clients pushed to a registry
/// without one in the last two minutes.
#[derive(Debug, Default)]
pub struct ReferrersSupport(Mutex<Learned>);

#[derive(Debug, Default)]
struct Learned {
    /// Whether the registry has the API, and when it showed that.
    has_api: Option<(bool, Instant)>,
    /// Oldest first.
    pushes: VecDeque<(PushedReferrer, Instant)>,
}

/// A manifest with a subject that a client has pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedReferrer {
    pub repository: RepositoryName,
    pub subject: Box<str>,
    pub digest: Box<str>,
}

impl ReferrersSupport {
    /// Whether the registry has the API, as far as it showed that in the last ten minutes.
    pub fn has_api(&self) -> Option<bool> {
        let (has_api, since) = self.lock().has_api?;
        (since.elapsed() < API_MEMORY).then_some(has_api)
    }

    /// Remembers whether the registry has the API. A registry that has it lists pushed referrers itself.
    pub fn learn(&self, has_api: bool) {
        let mut learned = self.lock();
        learned.has_api = Some((has_api, Instant::now()));
        if has_api {
            learned.pushes.clear();
        }
    }

    /// Remembers a pushed referrer that the registry did not acknowledge with `OCI-Subject`.
    pub fn note_push(&self, referrer: PushedReferrer) {
        let mut learned = self.lock();
        if learned.pushes.len() == MAX_PUSHES {
            learned.pushes.pop_front();
        }
        learned.pushes.push_back((referrer, Instant::now()));
    }

    /// The digests of the referrers of `subject` that were pushed in the last two minutes.
    pub fn recent_pushes(&self, repository: &RepositoryName, subject: &str) -> Vec<Box<str>> {
        let mut learned = self.lock();
        learned.pushes.retain(|(_, at)| at.elapsed() < PUSH_MEMORY);
        let pushes = learned.pushes.iter().map(|(referrer, _)| referrer);
        let of_subject = pushes.filter(|one| one.repository == *repository && &*one.subject == subject);
        of_subject.map(|referrer| referrer.digest.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Learned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Upgrades of registries are rare, but must not need a restart of regpass.
const API_MEMORY: Duration = Duration::from_secs(10 * 60);
/// Time for the client that pushed a referrer to list it under the referrers tag, including retries.
const PUSH_MEMORY: Duration = Duration::from_secs(2 * 60);
const MAX_PUSHES: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn referrer(subject: &str, digest: &str) -> PushedReferrer {
        let repository = RepositoryName::parse("acme/app").unwrap();
        PushedReferrer { repository, subject: subject.into(), digest: digest.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn missing_api_is_remembered_for_ten_minutes() {
        let support = ReferrersSupport::default();
        assert_eq!(support.has_api(), None);
        support.learn(false);
        advance(Duration::from_millis(599_999)).await;
        assert_eq!(support.has_api(), Some(false));
        advance(Duration::from_millis(1)).await;
        assert_eq!(support.has_api(), None);
        support.learn(false);
        support.learn(true);
        assert_eq!(support.has_api(), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn pushes_are_remembered_for_two_minutes_until_the_registry_has_the_api() {
        let support = ReferrersSupport::default();
        let name = RepositoryName::parse("acme/app").unwrap();
        let recent = |subject: &str| support.recent_pushes(&name, subject);
        support.note_push(referrer("s1", "a"));
        advance(PUSH_MEMORY / 2).await;
        support.note_push(referrer("s1", "b"));
        support.note_push(referrer("s2", "c"));
        assert_eq!((recent("s1"), recent("s2")), (vec!["a".into(), "b".into()], vec!["c".into()]));
        assert!(support.recent_pushes(&RepositoryName::parse("acme/other").unwrap(), "s1").is_empty());
        advance(PUSH_MEMORY / 2).await;
        assert_eq!(recent("s1"), ["b".into()]);
        support.learn(true);
        assert!(recent("s1").is_empty());
        for n in 0..=MAX_PUSHES {
            support.note_push(referrer("s3", &n.to_string()));
        }
        assert_eq!(recent("s3").len(), MAX_PUSHES);
    }
}
