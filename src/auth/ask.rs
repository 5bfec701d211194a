//! What authorization is needed for.

use std::sync::Arc;
use std::time::Duration;

use crate::credential::CredentialProvider;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;
use crate::upstream::SharedUpstream;

/// What a request wants to do, as far as authorization cares.
#[derive(Clone, Debug)]
pub struct Ask {
    pub upstream: SharedUpstream,
    /// Where the login for it comes from.
    pub login: Arc<dyn CredentialProvider>,
    pub repository: Option<RepositoryName>,
    pub scopes: ScopeSet,
    pub access: Access,
    /// Whether the registry is known to refuse this to whoever has no login.
    pub needs_login: bool,
    /// Whether it takes the login itself and no token.
    pub by_login: bool,
    /// How long the authorization should last: as long as the body takes that it is sent with.
    pub lasting: Duration,
}

impl Ask {
    /// Whether it may be tried anonymously when there is a login, but a bad one.
    pub(super) fn works_without_login(&self) -> bool {
        self.access == Access::Pull && !self.needs_login
    }
}
