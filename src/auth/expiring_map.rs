//! A bounded map whose entries expire.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

/// A map of at most [`MAX_ENTRIES`] entries that expire.
#[derive(Debug)]
pub(super) struct ExpiringMap<K: Eq + Hash, V>(DashMap<K, (V, Instant)>);

impl<K: Eq + Hash, V> Default for ExpiringMap<K, V> {
    fn default() -> Self {
        Self(DashMap::new())
    }
}

impl<K: Clone + Eq + Hash + Debug, V: Clone> ExpiringMap<K, V> {
    /// The value of a key, unless it has expired.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entry = self.0.get(key)?;
        (Instant::now() < entry.1).then(|| entry.0.clone())
    }

    /// Makes room first if the map is full: removes what has expired or, if nothing has, everything.
    pub(super) fn insert(&self, key: K, value: V, lifetime: Duration) {
        let now = Instant::now();
        if self.0.len() >= MAX_ENTRIES {
            self.0.retain(|_, (_, expires)| now < *expires);
        }
        if self.0.len() >= MAX_ENTRIES {
            self.0.clear();
        }
        self.0.insert(key, (value, now + lifetime));
    }

    /// All entries that have not expired.
    pub(super) fn entries(&self) -> Vec<(K, V)> {
        let now = Instant::now();
        let unexpired = self.0.iter().filter(|entry| now < entry.value().1);
        unexpired.map(|entry| (entry.key().clone(), entry.value().0.clone())).collect()
    }
}

const MAX_ENTRIES: usize = 4096;
