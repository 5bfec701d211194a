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
    passwords: Mutex<BTreeMap<String, String>>,
    /// Refresh tokens, called identity tokens in docker's configuration.
    identities: Mutex<BTreeMap<String, String>>,
    /// Passwords and identities that a cloud lent: whose, and until when.
    lent: Mutex<BTreeMap<String, (String, Instant)>>,
}

impl Users {
    pub fn add(&self, user: &str, password: &str) {
        lock(&self.passwords).insert(user.to_owned(), password.to_owned());
    }

    pub fn remove(&self, user: &str) {
        lock(&self.passwords).remove(user);
        lock(&self.identities).retain(|_, owner| owner != user);
    }

    pub fn add_identity(&self, user: &str, token: &str) {
        lock(&self.identities).insert(token.to_owned(), user.to_owned());
    }

    /// A password, or a refresh token, that is good for a while.
    pub fn lend(&self, user: &str, secret: &str, lifetime: Duration) {
        lock(&self.lent).insert(secret.to_owned(), (user.to_owned(), Instant::now() + lifetime));
    }

    /// Nothing that was lent is good any more.
    pub fn recall(&self) {
        lock(&self.lent).clear();
    }

    fn borrower(&self, secret: &str) -> Option<String> {
        let lent = lock(&self.lent);
        lent.get(secret).filter(|(_, until)| Instant::now() < *until).map(|(user, _)| user.clone())
    }

    pub fn has_password(&self, user: &str, password: &str) -> bool {
        self.borrower(password).as_deref() == Some(user)
            || lock(&self.passwords).get(user).is_some_and(|right| right == password)
    }

    pub fn with_password(&self, password: &str) -> Option<String> {
        lock(&self.passwords).iter().find(|(_, right)| *right == password).map(|(user, _)| user.clone())
    }

    pub fn password(&self, user: &str) -> Option<String> {
        lock(&self.passwords).get(user).cloned()
    }

    pub fn identity(&self, token: &str) -> Option<String> {
        lock(&self.identities).get(token).cloned().or_else(|| self.borrower(token))
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
