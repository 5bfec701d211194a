//! Checks passwords against bcrypt hashes. As bcrypt is slow on purpose, correct passwords are remembered and only a
//! few are checked at a time, so that neither regular clients nor password guessing take up the processors.

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

use super::AuthRejection;
use super::htpasswd_file::Users;
use crate::base::secret::Secret;

/// Verifies the passwords of one htpasswd file and remembers the correct ones.
pub struct PasswordVerifier {
    /// Salted digests of user, password and hash. They include the hash, so a changed hash needs a new check.
    verified: Mutex<HashSet<[u8; 32]>>,
    /// One permit per concurrent check: half the processors, at least one.
    checks: Arc<Semaphore>,
}

impl Default for PasswordVerifier {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self { verified: Mutex::default(), checks: Arc::new(Semaphore::new((processors / 2).max(1))) }
    }
}

impl PasswordVerifier {
    /// Whether `password` is that of `user`. Fails with [`AuthRejection::Busy`] if other checks leave no room for this
    /// one within 10 s.
    pub(super) async fn verify(&self, users: &Users, user: &Secret, password: &Secret) -> Result<bool, AuthRejection> {
        let hash = users.hash(user.expose());
        let digest = hash.map(|hash| digest(user.expose(), password.expose(), hash));
        let is_known = || digest.is_some_and(|digest| self.verified().contains(&digest));
        if is_known() {
            return Ok(true);
        }
        let permit = timeout(MAX_WAIT, self.checks.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(AuthRejection::Busy) };
        // The same password on another connection may have been checked during the wait.
        if is_known() {
            return Ok(true);
        }
        let (hash, password) = (hash.unwrap_or_else(|| users.slowest()).to_owned(), password.clone());
        let check = spawn_blocking(move || {
            let is_correct = bcrypt::verify(password.expose(), &hash).unwrap_or(false);
            // The check holds its permit until it ends, also when the client disconnects.
            drop(permit);
            is_correct
        });
        let is_correct = check.await.unwrap_or(false);
        let Some(digest) = digest.filter(|_| is_correct) else { return Ok(false) };
        let mut verified = self.verified();
        if verified.len() >= MAX_VERIFIED {
            verified.clear();
        }
        verified.insert(digest);
        Ok(true)
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PasswordVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordVerifier").field("verified", &self.verified().len()).finish_non_exhaustive()
    }
}

/// A digest of all three, with a salt of this process, so that it is useless elsewhere.
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

/// How long a check waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(10);
const MAX_VERIFIED: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::clients::htpasswd_file::parse;

    #[tokio::test(start_paused = true)]
    async fn verified_password_does_not_wait_and_any_other_waits_for_a_bounded_time() {
        let hash = bcrypt::hash_with_salt("one", 4, [7; 16]).unwrap().to_string();
        let users = parse(std::path::Path::new("/f"), &format!("alice:{hash}")).unwrap();
        let (verifier, alice) = (PasswordVerifier::default(), Secret::new("alice"));
        assert!(verifier.verify(&users, &alice, &Secret::new("one")).await.unwrap());
        let all = u32::try_from(verifier.checks.available_permits()).unwrap();
        let _busy = verifier.checks.clone().acquire_many_owned(all).await.unwrap();
        let started = Instant::now();
        assert!(verifier.verify(&users, &alice, &Secret::new("one")).await.unwrap());
        assert!(started.elapsed().is_zero());
        for user in ["alice", "carol"] {
            let started = Instant::now();
            let rejected = verifier.verify(&users, &Secret::new(user), &Secret::new("two")).await;
            assert!(matches!(rejected, Err(AuthRejection::Busy)), "{rejected:?}");
            assert_eq!(started.elapsed(), MAX_WAIT);
        }
    }

    #[tokio::test]
    async fn number_of_remembered_passwords_is_bounded() {
        let hash = bcrypt::hash_with_salt("one", 4, [7; 16]).unwrap().to_string();
        let users = parse(std::path::Path::new("/f"), &format!("alice:{hash}")).unwrap();
        let verifier = PasswordVerifier::default();
        for number in 0..MAX_VERIFIED {
            let mut known = [0; 32];
            known[..8].copy_from_slice(&number.to_le_bytes());
            verifier.verified().insert(known);
        }
        assert!(verifier.verify(&users, &Secret::new("alice"), &Secret::new("one")).await.unwrap());
        assert_eq!(verifier.verified().len(), 1);
    }
}
