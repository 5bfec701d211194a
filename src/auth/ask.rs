//! What authorization is needed for.

use std::sync::Arc;
use std::time::Duration;

use super::scopes::Login;
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
    /// Whether it lists tags, for which a registry may want more than for pulls (ACR does).
    pub lists_tags: bool,
    /// What the registry makes of a login.
    pub wants: Login,
    /// How long the authorization should last: as long as the body takes that it is sent with.
    pub lasting: Duration,
}

/// What answers are remembered by: what was asked for, and whether it was for a list of tags. What such a list is
/// refused for, or wants beside, is no concern of pulls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matter {
    pub scopes: ScopeSet,
    pub lists_tags: bool,
}

impl Ask {
    pub(super) fn matter(&self) -> Matter {
        Matter { scopes: self.scopes.clone(), lists_tags: self.lists_tags }
    }

    /// The matters whose answers hold for this one: its own, and what is known of pulls for a list of tags.
    pub(super) fn matters(&self) -> impl Iterator<Item = Matter> {
        let pulls = Matter { scopes: self.scopes.clone(), lists_tags: false };
        std::iter::once(self.matter()).chain(self.lists_tags.then_some(pulls))
    }

    /// Whether it may be tried anonymously when there is a login, but a bad one.
    pub(super) fn works_without_login(&self) -> bool {
        self.access == Access::Pull && self.wants == Login::Welcome
    }
}
