//! What helpers answered, kept for a while.
//!
//! An answer is a lease: good for minutes, renewed in the background while in use. Two memories stand beside the
//! leases: the last good answers, for when a helper fails, and the refusals, so that an answer that a registry refused
//! is asked for again at once, and then less and less often as long as the helper insists on it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::process::Failure;
use crate::base::lease::Lease;
use crate::base::lease_cache::{Abandoned, Covers, FetchError, LeaseCache};
use crate::credential::{CredentialError, CredentialId, Found};

#[derive(Debug)]
pub(super) struct Answers {
    /// Grouped by helper.
    leases: Arc<LeaseCache<Box<str>, Server, Found, Failure>>,
    memory: Arc<Mutex<Memory>>,
}

/// The key that a helper was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server(Box<str>);

#[derive(Debug, Default)]
struct Memory {
    good: HashMap<(Box<str>, Server), Good>,
    refused: HashMap<CredentialId, Refused>,
}

#[derive(Debug)]
struct Good {
    found: Found,
    since: Instant,
    /// What the helper has failed with since.
    failing: Option<String>,
}

#[derive(Debug)]
struct Refused {
    latest: Instant,
    /// When the helper may be asked again, and how long it is left alone after that.
    ask_again: Instant,
    pause: Duration,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self { leases: LeaseCache::new(HELPERS, SERVERS), memory: Arc::default() }
    }

    /// What `helper` says about `server`, from memory or by `ask`.
    pub(super) async fn get<F, R>(&self, helper: &str, server: &str, ask: F) -> Result<Found, CredentialError>
    where
        F: Fn() -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<Found, Failure>> + Send + 'static,
    {
        let (group, server) = (Box::from(helper), Server(server.into()));
        let fetch = || {
            let (memory, key, ask) = (self.memory.clone(), (Box::clone(&group), server.clone()), ask.clone());
            move || remembering(memory.clone(), key.clone(), ask())
        };
        let mut obtained = self.leases.get_or_fetch(&group, &server, fetch()).await;
        if let Ok(held) = &obtained
            && !held.fresh
            && self.memory().is_time_to_ask_again(held.lease.value.id)
        {
            self.leases.reject(&group, &held.lease);
            obtained = self.leases.get_or_fetch(&group, &server, fetch()).await;
        }
        obtained.map(|held| held.lease.value.clone()).map_err(|failure| failure.error.clone())
    }

    /// Somebody logged in or out: whatever the helper said, it is asked again.
    pub(super) fn forget(&self, helper: &str) {
        for (group, _, lease) in self.leases.held().iter().filter(|(group, ..)| **group == *helper) {
            self.leases.reject(group, lease);
        }
    }

    /// A registry refused this answer: it is worth nothing any more, wherever it came from.
    ///
    /// "No login" is the same answer for every server, and nothing that a helper could have in better.
    pub(super) fn refused(&self, id: CredentialId) {
        if id == Found::anonymous().id {
            return;
        }
        let is_news = {
            let mut memory = self.memory();
            memory.good.retain(|_, good| good.found.id != id);
            memory.note_refusal(id)
        };
        if is_news {
            for (group, _, lease) in self.leases.held().iter().filter(|(_, _, lease)| lease.value.id == id) {
                self.leases.reject(group, lease);
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for an answer and remembers it; when the helper fails, remembers the last one instead.
async fn remembering(
    memory: Arc<Mutex<Memory>>,
    key: (Box<str>, Server),
    answer: impl Future<Output = Result<Found, Failure>>,
) -> Result<Lease<Found>, Failure> {
    let asked = Instant::now();
    let answer = answer.await;
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(found) => {
            let good = Good { found: found.clone(), since: asked, failing: None };
            insert_bounded(&mut memory.good, key, good, |good| good.since);
            let lifetime = if found.is_anonymous() { LIFETIME_OF_NONE } else { LIFETIME };
            Ok(Lease::new(found, asked, lifetime))
        }
        Err(failure) => {
            let Some(good) = memory.good.get_mut(&key) else { return Err(failure) };
            if good.failing.as_ref() != Some(&failure.error.what) {
                let error = failure.error.what;
                warn!(blame = "credential", error, "a credential helper fails; what it last answered stays in force");
                good.failing = Some(error);
            }
            Ok(Lease::new(good.found.clone(), Instant::now(), STOPGAP))
        }
    }
}

impl Memory {
    /// Whether a held answer must not be given out again before the helper was asked. Says so to one caller only.
    fn is_time_to_ask_again(&mut self, id: CredentialId) -> bool {
        let now = Instant::now();
        let Some(refused) = self.refused.get_mut(&id) else { return false };
        if now >= refused.latest + FORGOTTEN {
            self.refused.remove(&id);
            return false;
        }
        let is_time = now >= refused.ask_again;
        if is_time {
            refused.pause = (refused.pause * 2).min(LONGEST_PAUSE);
            refused.ask_again = now + refused.pause;
        }
        is_time
    }

    /// Whether this refusal is the first of its kind.
    fn note_refusal(&mut self, id: CredentialId) -> bool {
        let now = Instant::now();
        if let Some(refused) = self.refused.get_mut(&id)
            && now < refused.latest + FORGOTTEN
        {
            refused.latest = now;
            return false;
        }
        let refused = Refused { latest: now, ask_again: now + FIRST_PAUSE, pause: FIRST_PAUSE };
        insert_bounded(&mut self.refused, id, refused, |refused| refused.latest);
        true
    }
}

/// Puts a value in, in the place of the oldest one when the map is full.
fn insert_bounded<K: Clone + Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V, age: impl Fn(&V) -> Instant) {
    if map.len() >= REMEMBERED && !map.contains_key(&key) {
        let oldest = map.iter().min_by_key(|(_, value)| age(value)).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            map.remove(&oldest);
        }
    }
    map.insert(key, value);
}

impl Covers for Server {
    fn covers(&self, wanted: &Self) -> bool {
        self == wanted
    }
}

impl From<Abandoned> for Failure {
    fn from(_: Abandoned) -> Self {
        let error = CredentialError::new("asking a credential helper ended in a panic; please report it");
        Self { error, pause: None }
    }
}

impl FetchError for Failure {
    fn remembered_for(&self) -> Option<Duration> {
        self.pause
    }
}

const HELPERS: usize = 64;
const SERVERS: usize = 256;
const REMEMBERED: usize = 1024;
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Shorter, as nothing but time tells of a first login.
const LIFETIME_OF_NONE: Duration = Duration::from_secs(60);
/// How long a last good answer stands in for a failing helper before the helper is tried again.
const STOPGAP: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FORGOTTEN: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests;
