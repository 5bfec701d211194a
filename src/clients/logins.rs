//! Checking passwords against bcrypt hashes, which is slow on purpose: what was right is remembered, and only a few are
//! checked at once, so that neither clients nor people who guess keep the machine busy.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use aws_lc_rs::rand;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Refused;
use super::htpasswd::Users;
use crate::base::secret::Secret;

/// The logins of one list that are known to be right.
pub struct Logins {
    /// Salted digests of user, password and hash: with another hash in the file the login is another one.
    good: Mutex<HashSet<[u8; 32]>>,
    checks: Arc<Semaphore>,
}

impl Default for Logins {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self { good: Mutex::default(), checks: Arc::new(Semaphore::new((processors / 2).max(1))) }
    }
}

impl Logins {
    /// Whether this is one of `users` with their password.
    pub(super) async fn are_good(&self, users: &Users, user: &Secret, password: &Secret) -> Result<bool, Refused> {
        let hash = users.hash(user.expose());
        let digest = hash.map(|hash| digest(user.expose(), password.expose(), hash));
        let is_known = || digest.is_some_and(|digest| self.good().contains(&digest));
        if is_known() {
            return Ok(true);
        }
        let permit = timeout(PATIENCE, self.checks.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(Refused::Busy) };
        // A client opens several connections at a time with the same login.
        if is_known() {
            return Ok(true);
        }
        let (against, password) = (hash.unwrap_or_else(|| users.slowest()).to_owned(), password.clone());
        let fits = spawn_blocking(move || {
            let fits = bcrypt::verify(password.expose(), &against).unwrap_or(false);
            // Held to the end also when the client is gone.
            drop(permit);
            fits
        });
        let fits = fits.await.unwrap_or(false);
        let Some(digest) = digest.filter(|_| fits) else { return Ok(false) };
        let mut good = self.good();
        if good.len() >= MOST_LOGINS {
            good.clear();
        }
        good.insert(digest);
        Ok(true)
    }

    fn good(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").field("known", &self.good().len()).finish_non_exhaustive()
    }
}

/// Salted per process, so that it is worth nothing outside it.
fn digest(user: &str, password: &str, hash: &str) -> [u8; 32] {
    static SALT: LazyLock<[u8; 32]> = LazyLock::new(|| {
        let mut salt = [0; 32];
        rand::fill(&mut salt).expect("the system has random numbers");
        salt
    });
    let mut digest = Sha256::new();
    digest.update(*SALT);
    for part in [user, password, hash] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// How long a login waits for others to be checked.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_LOGINS: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::clients::htpasswd::parse;

    #[tokio::test(start_paused = true)]
    async fn a_login_that_was_right_does_not_queue_and_another_does_not_queue_for_ever() {
        let hash = bcrypt::hash_with_salt("one", 4, [7; 16]).unwrap().to_string();
        let users = parse(std::path::Path::new("/f"), format!("alice:{hash}").as_bytes()).unwrap();
        let (logins, alice) = (Logins::default(), Secret::new("alice"));
        assert!(logins.are_good(&users, &alice, &Secret::new("one")).await.unwrap());
        let all = u32::try_from(logins.checks.available_permits()).unwrap();
        let _busy = logins.checks.clone().acquire_many_owned(all).await.unwrap();
        let begun = Instant::now();
        assert!(logins.are_good(&users, &alice, &Secret::new("one")).await.unwrap());
        assert!(begun.elapsed().is_zero());
        for user in ["alice", "carol"] {
            let begun = Instant::now();
            let refused = logins.are_good(&users, &Secret::new(user), &Secret::new("two")).await;
            assert!(matches!(refused, Err(Refused::Busy)), "{refused:?}");
            assert_eq!(begun.elapsed(), PATIENCE);
        }
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let hash = bcrypt::hash_with_salt("one", 4, [7; 16]).unwrap().to_string();
        let users = parse(std::path::Path::new("/f"), format!("alice:{hash}").as_bytes()).unwrap();
        let logins = Logins::default();
        for number in 0..MOST_LOGINS {
            let mut known = [0; 32];
            known[..8].copy_from_slice(&number.to_le_bytes());
            logins.good().insert(known);
        }
        assert!(logins.are_good(&users, &Secret::new("alice"), &Secret::new("one")).await.unwrap());
        assert_eq!(logins.good().len(), 1);
    }
}
