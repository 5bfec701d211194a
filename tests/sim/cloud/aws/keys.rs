//! Access keys: who signs, and until when.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::super::super::clock::Clock;
use super::super::super::lock;

#[derive(Clone, Debug)]
pub struct Key {
    pub secret: String,
    /// The session token that has to come with it.
    pub token: Option<String>,
    /// Since 1970.
    pub ends: Option<Duration>,
    /// Whether it may ask for a registry's password.
    pub may_log_in: bool,
}

#[derive(Default)]
pub(super) struct Keys {
    live: Mutex<BTreeMap<String, Key>>,
    handed_out: Mutex<Vec<String>>,
}

/// A key that ends, as STS and the metadata services hand it out.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) key: Key,
    /// As the documents tell it.
    pub(super) expiration: String,
}

impl Key {
    pub(super) fn of_user(secret: &str) -> Self {
        Self { secret: secret.to_owned(), token: None, ends: None, may_log_in: true }
    }
}

impl Keys {
    pub(super) fn put(&self, id: &str, key: Key) {
        lock(&self.handed_out).extend([key.secret.clone()].into_iter().chain(key.token.clone()));
        lock(&self.live).insert(id.to_owned(), key);
    }

    pub(super) fn remove(&self, id: &str) {
        lock(&self.live).remove(id);
    }

    pub(super) fn end_all(&self, clock: Clock) {
        lock(&self.live).values_mut().for_each(|key| key.ends = Some(clock.since_1970()));
    }

    pub(super) fn find(&self, id: &str) -> Option<Key> {
        lock(&self.live).get(id).cloned()
    }

    /// A new session of a role that may log in.
    pub(super) fn session(&self, clock: Clock, lifetime: Duration) -> Session {
        let number = lock(&self.live).len();
        let ends = Duration::from_secs(clock.unix()) + lifetime;
        let key = Key {
            secret: format!("session/secret+{number:025}"),
            token: Some(format!("IQoJb3JpZ2luX2VjE{number:08}//////////wEa+session==")),
            ends: Some(ends),
            may_log_in: true,
        };
        let id = format!("ASIA{number:016}");
        self.put(&id, key.clone());
        Session { id, key, expiration: Clock::iso(ends.as_secs()) }
    }

    pub(super) fn note(&self, secret: &str) {
        lock(&self.handed_out).push(secret.to_owned());
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        lock(&self.handed_out).clone()
    }
}
