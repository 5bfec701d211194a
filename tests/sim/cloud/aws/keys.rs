//! Access keys and when they expire.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::super::super::clock::Clock;
use super::super::super::lock;

/// An access key without its id: the secret, and what the key is valid for.
#[derive(Clone, Debug)]
pub struct Key {
    pub secret: String,
    /// The session token that has to be sent with the key; `None` for the key of a user.
    pub token: Option<String>,
    /// The Unix time at which the key expires; `None` if it does not.
    pub expires: Option<Duration>,
    /// Whether it may request a registry's password.
    pub may_get_password: bool,
}

/// All access keys of the account, by id.
#[derive(Default)]
pub(super) struct Keys {
    keys: Mutex<BTreeMap<String, Key>>,
    /// Every secret that was ever issued or added.
    secrets: Mutex<Vec<String>>,
}

/// A key that expires, as STS and the metadata services issue it.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) key: Key,
    /// The expiry as replies state it: `2024-01-30T03:35:39Z`.
    pub(super) expiration: String,
}

impl Key {
    pub(super) fn of_user(secret: &str) -> Self {
        Self { secret: secret.to_owned(), token: None, expires: None, may_get_password: true }
    }
}

impl Keys {
    pub(super) fn put(&self, id: &str, key: Key) {
        lock(&self.secrets).extend([key.secret.clone()].into_iter().chain(key.token.clone()));
        lock(&self.keys).insert(id.to_owned(), key);
    }

    pub(super) fn remove(&self, id: &str) {
        lock(&self.keys).remove(id);
    }

    pub(super) fn expire_all(&self, clock: Clock) {
        lock(&self.keys).values_mut().for_each(|key| key.expires = Some(clock.since_1970()));
    }

    pub(super) fn find(&self, id: &str) -> Option<Key> {
        lock(&self.keys).get(id).cloned()
    }

    /// Issues a key of the role [`Aws::ROLE`](super::Aws::ROLE), which may request a registry's password.
    pub(super) fn session(&self, clock: Clock, lifetime: Duration) -> Session {
        let number = lock(&self.keys).len();
        let expires = Duration::from_secs(clock.unix()) + lifetime;
        let key = Key {
            secret: format!("session/secret+{number:025}"),
            token: Some(format!("IQoJb3JpZ2luX2VjE{number:08}//////////wEa+session==")),
            expires: Some(expires),
            may_get_password: true,
        };
        let id = format!("ASIA{number:016}");
        self.put(&id, key.clone());
        Session { id, key, expiration: Clock::iso(expires.as_secs()) }
    }

    pub(super) fn note_secret(&self, secret: &str) {
        lock(&self.secrets).push(secret.to_owned());
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        lock(&self.secrets).clone()
    }
}
