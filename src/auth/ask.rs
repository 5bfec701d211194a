//! What authorization is needed for.

use std::time::Duration;

use super::scopes::Login;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;
use crate::upstream::SharedUpstream;

/// What a request wants to do, as far as authorization cares.
#[derive(Clone, Debug)]
pub struct Ask {
    pub upstream: SharedUpstream,
    pub repository: Option<RepositoryName>,
    pub scopes: ScopeSet,
    pub access: Access,
    pub login: Login,
    /// How long the authorization should last: as long as the body takes that it is sent with.
    pub lasting: Duration,
}

impl Ask {
    /// Whether it may be tried anonymously when there is a login, but a bad one.
    pub(super) fn works_without_login(&self) -> bool {
        self.access == Access::Pull && self.login == Login::Welcome
    }
}
