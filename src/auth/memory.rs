//! What was refused lately. Keyed by credential, so that a changed secret starts with a clean slate.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::ask::Matter;
use crate::credential::CredentialId;
use crate::upstream::UpstreamId;

/// A credential at a registry, as long as that is where it is: what one place says of a login another need not.
pub type Login = (UpstreamId, CredentialId);

/// Logins a registry refused: reads go on without them for a while.
#[derive(Debug, Default)]
pub struct StaleLogins {
    /// Everywhere, because the login itself is wrong; or for this matter only.
    refused: Fading<(Login, Option<Matter>), Box<str>>,
    /// Logins already reported.
    reported: Fading<Login, ()>,
}

impl StaleLogins {
    pub fn contains(&self, login: &Login, matters: impl Iterator<Item = Matter>) -> bool {
        let mut of = std::iter::once(None).chain(matters.map(Some));
        of.any(|matter| self.refused.get(&(*login, matter)).is_some())
    }

    /// Remembers a refusal of a login from `source`; true when it is the first of this login, which is the one to report.
    pub fn add(&self, login: Login, matter: Option<Matter>, source: &str) -> bool {
        self.refused.put((login, matter), source.into(), STALE_MEMORY);
        let first = self.reported.get(&login).is_none();
        self.reported.put(login, (), REPORT_MEMORY);
        first
    }

    /// Each login that is remembered, and where it comes from.
    pub fn all(&self) -> HashMap<Login, Box<str>> {
        let now = Instant::now();
        let refused = self.refused.0.iter().filter(|entry| now < entry.value().1);
        refused.map(|entry| (entry.key().0, entry.value().0.clone())).collect()
    }
}

/// Requests that were refused although their authorization was fresh.
#[derive(Debug, Default)]
pub struct Denials(Fading<(Login, Matter), String>);

impl Denials {
    pub fn reason(&self, login: &Login, mut matters: impl Iterator<Item = Matter>) -> Option<String> {
        matters.find_map(|matter| self.0.get(&(*login, matter)))
    }

    pub fn add(&self, login: Login, matter: Matter, reason: String) {
        self.0.put((login, matter), reason, super::error::REFUSAL_MEMORY);
    }
}

/// A bounded map whose entries fade.
#[derive(Debug)]
struct Fading<K: Eq + Hash, V>(DashMap<K, (V, Instant)>);

impl<K: Eq + Hash, V> Default for Fading<K, V> {
    fn default() -> Self {
        Self(DashMap::new())
    }
}

impl<K: Eq + Hash + Debug, V: Clone> Fading<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let entry = self.0.get(key)?;
        (Instant::now() < entry.1).then(|| entry.0.clone())
    }

    fn put(&self, key: K, value: V, keep: Duration) {
        let now = Instant::now();
        if self.0.len() >= CAP {
            self.0.retain(|_, (_, until)| now < *until);
        }
        if self.0.len() >= CAP {
            self.0.clear();
        }
        self.0.insert(key, (value, now + keep));
    }
}

const CAP: usize = 4096;
const STALE_MEMORY: Duration = Duration::from_secs(5 * 60);
const REPORT_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::credential::{Credential, Found};
    use crate::oci::scope::ScopeSet;

    #[tokio::test(start_paused = true)]
    async fn stale_logins_fade_and_are_reported_once() {
        let stale = StaleLogins::default();
        let id = Found::new(Credential::Anonymous, "test").id;
        let login = (UpstreamId::next(), id);
        let matter = |scopes| Matter { scopes: ScopeSet::parse(scopes), lists_tags: false };
        let (a, b) = (matter("repository:a:pull"), matter("repository:b:pull"));
        let contains = |of: &Matter| stale.contains(&login, std::iter::once(of.clone()));
        assert!(stale.add(login, Some(a.clone()), "test"));
        assert!(contains(&a) && !contains(&b));
        assert!(!stale.add(login, None, "test"), "reported once");
        assert!(contains(&b));
        assert_eq!(stale.all().len(), 1, "one login, however often");
        advance(STALE_MEMORY + Duration::from_secs(1)).await;
        assert!(!contains(&a) && !contains(&b) && stale.all().is_empty());
    }
}
