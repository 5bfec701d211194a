//! The users of a registry, and what they may do.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::super::content::Store;
use super::super::lock;
use super::scope::Scope;

/// The users and their secrets.
#[derive(Default)]
pub struct Users {
    /// By user: the password, and when it was set.
    passwords: Mutex<BTreeMap<String, (String, Instant)>>,
    /// `(user, secret, expiry)` of further passwords and identity tokens, as clouds issue them.
    temporary: Mutex<Vec<(String, String, Instant)>>,
    /// By token: the user. The tokens are refresh tokens, which docker's configuration calls identity tokens.
    identity_tokens: Mutex<BTreeMap<String, String>>,
}

impl Users {
    /// Adds a user, or changes its password.
    pub fn add(&self, user: &str, password: &str) {
        lock(&self.passwords).insert(user.to_owned(), (password.to_owned(), Instant::now()));
    }

    /// How long ago the user's password was set; `None` if the user has only temporary passwords.
    pub fn password_age(&self, user: &str) -> Option<Duration> {
        lock(&self.passwords).get(user).map(|(_, since)| since.elapsed())
    }

    /// Adds a further password, valid also as identity token, that expires at `end`.
    pub fn add_temporary(&self, user: &str, password: &str, end: Instant) {
        lock(&self.temporary).push((user.to_owned(), password.to_owned(), end));
    }

    /// Invalidates everything that [`add_temporary`](Self::add_temporary) has added.
    pub fn revoke_temporary(&self) {
        lock(&self.temporary).clear();
    }

    pub fn remove(&self, user: &str) {
        lock(&self.passwords).remove(user);
        lock(&self.identity_tokens).retain(|_, owner| owner != user);
    }

    pub fn add_identity_token(&self, user: &str, token: &str) {
        lock(&self.identity_tokens).insert(token.to_owned(), user.to_owned());
    }

    pub fn has_password(&self, user: &str, password: &str) -> bool {
        let is_valid =
            |(of, secret, end): &(String, String, Instant)| of == user && secret == password && *end > Instant::now();
        lock(&self.passwords).get(user).is_some_and(|(right, _)| right == password)
            || lock(&self.temporary).iter().any(is_valid)
    }

    /// The user with this password. Temporary passwords do not count.
    pub fn with_password(&self, password: &str) -> Option<String> {
        lock(&self.passwords).iter().find(|(_, (right, _))| *right == password).map(|(user, _)| user.clone())
    }

    pub fn password(&self, user: &str) -> Option<String> {
        lock(&self.passwords).get(user).map(|(password, _)| password.clone())
    }

    /// The user of an identity token.
    pub fn identity_token_user(&self, token: &str) -> Option<String> {
        let temporary = lock(&self.temporary);
        let found = temporary.iter().find(|(_, secret, end)| secret == token && *end > Instant::now());
        lock(&self.identity_tokens).get(token).or(found.map(|(user, ..)| user)).cloned()
    }
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Everyone may pull public repositories; the user `alice` may do everything in `alice/…`, and a repository's
    /// members everything in that repository. Every user may list the catalog.
    Namespaces,
    /// Every authenticated user may do everything; anonymous callers may pull what is public.
    Users,
    /// Everyone may do everything, anonymous callers too.
    Everyone,
}

impl Policy {
    /// The part of a scope that the user may have; `None` is the anonymous caller.
    pub fn permitted_part(self, store: &Store, user: Option<&str>, scope: &Scope) -> Scope {
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
