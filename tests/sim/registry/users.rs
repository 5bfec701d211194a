//! Who may log in, and what they may do.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::super::content::Store;
use super::super::lock;
use super::scope::Scope;

#[derive(Default)]
pub struct Users {
    /// With the moment each was given.
    passwords: Mutex<BTreeMap<String, (String, Instant)>>,
    /// Passwords beside the one above, and identities beside those below, each until its end.
    lent: Mutex<Vec<(String, String, Instant)>>,
    /// Refresh tokens, called identity tokens in docker's configuration.
    identities: Mutex<BTreeMap<String, String>>,
}

impl Users {
    pub fn add(&self, user: &str, password: &str) {
        lock(&self.passwords).insert(user.to_owned(), (password.to_owned(), Instant::now()));
    }

    /// How long ago the user's password was given.
    pub fn password_age(&self, user: &str) -> Option<Duration> {
        lock(&self.passwords).get(user).map(|(_, since)| since.elapsed())
    }

    /// One more password or identity of a user, good until `end`.
    pub fn lend(&self, user: &str, password: &str, end: Instant) {
        lock(&self.lent).push((user.to_owned(), password.to_owned(), end));
    }

    /// Whatever was lent is worth nothing from now on.
    pub fn call_in(&self) {
        lock(&self.lent).clear();
    }

    pub fn remove(&self, user: &str) {
        lock(&self.passwords).remove(user);
        lock(&self.identities).retain(|_, owner| owner != user);
    }

    pub fn add_identity(&self, user: &str, token: &str) {
        lock(&self.identities).insert(token.to_owned(), user.to_owned());
    }

    pub fn has_password(&self, user: &str, password: &str) -> bool {
        let is_lent =
            |(to, lent, end): &(String, String, Instant)| to == user && lent == password && *end > Instant::now();
        lock(&self.passwords).get(user).is_some_and(|(right, _)| right == password)
            || lock(&self.lent).iter().any(is_lent)
    }

    pub fn with_password(&self, password: &str) -> Option<String> {
        lock(&self.passwords).iter().find(|(_, (right, _))| *right == password).map(|(user, _)| user.clone())
    }

    pub fn password(&self, user: &str) -> Option<String> {
        lock(&self.passwords).get(user).map(|(password, _)| password.clone())
    }

    pub fn identity(&self, token: &str) -> Option<String> {
        let lent = lock(&self.lent);
        let borrower = lent.iter().find(|(_, lent, end)| lent == token && *end > Instant::now());
        lock(&self.identities).get(token).or(borrower.map(|(to, ..)| to)).cloned()
    }
}

/// Who may do what, once known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Public repositories are for all to pull; `alice/…` belongs to alice; members may do everything.
    Namespaces,
    /// Whoever is logged in may do everything, others may pull what is public.
    Users,
    /// Everyone may do everything.
    Everyone,
}

impl Policy {
    /// The part of a scope that the user (`None`: anonymous) may have.
    pub fn reduce(self, store: &Store, user: Option<&str>, scope: &Scope) -> Scope {
        let actions = scope.actions.iter().filter(|action| self.permits(store, user, scope, action)).cloned().collect();
        Scope { actions, ..scope.clone() }
    }

    fn permits(self, store: &Store, user: Option<&str>, scope: &Scope, action: &str) -> bool {
        if self == Self::Everyone || self == Self::Users && user.is_some() {
            return true;
        }
        if scope.kind != "repository" {
            return user.is_some();
        }
        let owns = user.is_some_and(|user| scope.name.split('/').next() == Some(user));
        let shared = store.read(&scope.name, |repository| {
            repository.public && action == "pull" || user.is_some_and(|user| repository.members.contains(user))
        });
        owns || shared.unwrap_or(false)
    }
}
