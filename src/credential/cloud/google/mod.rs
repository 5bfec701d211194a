//! Google's access tokens, had as its application default credentials are.
//!
//! A registry takes one as the password of `oauth2accesstoken`, at its token service and as Basic alike
//! (GoogleCloudPlatform/docker-credential-gcr).

mod metadata;

use std::sync::Arc;

use super::Surroundings;
use super::failure::Failure;
use super::leased::{Lender, Lent};
use crate::base::secret::Secret;
use crate::credential::{Credential, CredentialError, Wanted};

pub(super) use self::metadata::VARIABLES;

#[derive(Debug)]
pub(super) struct Google {
    surroundings: Arc<Surroundings>,
}

/// Whose access token it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// The one that the machine runs as.
    Machine,
}

impl Google {
    pub(super) fn new(surroundings: Arc<Surroundings>) -> Self {
        Self { surroundings }
    }
}

impl Lender for Google {
    type Key = Account;

    async fn key(&self, _wanted: &Wanted<'_>) -> Result<Account, CredentialError> {
        Ok(Account::Machine)
    }

    async fn lend(self: Arc<Self>, account: Account) -> Result<Lent, Failure> {
        match account {
            Account::Machine => metadata::access_token(&self.surroundings).await,
        }
    }
}

fn lent(token: Secret, lifetime: std::time::Duration, source: String) -> Lent {
    let credential = Credential::Password { username: "oauth2accesstoken".into(), password: token };
    Lent { credential, lifetime, source }
}
