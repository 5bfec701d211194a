//! What a registry supports, as data for tests that run against every registry.

use std::ops::RangeInclusive;

use super::super::content::Image;
use super::super::registry::Registry;
use super::{ExpiryReply, Preset};

/// What a test may expect of a registry.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct Capabilities {
    /// A user and its password; `None` for a registry without credentials.
    pub credential: Option<(&'static str, &'static str)>,
    /// How the credential is presented.
    pub auth_kind: AuthKind,
    /// Public repositories can be pulled without a credential.
    pub anonymous_pull: bool,
    /// How many components (separated by `/`) the name of a repository may have.
    pub name_components: RangeInclusive<usize>,
    /// Names of two sample repositories: a public one, and one that requires the credential. A registry without
    /// credentials has the same name for both.
    pub public_repository: &'static str,
    pub private_repository: &'static str,
    pub push: bool,
    /// A push creates a missing repository.
    pub push_creates_repository: bool,
    /// Deletes of manifests by tag.
    pub delete_tags: bool,
    /// Deletes of manifests by digest.
    pub delete_manifests: bool,
    pub delete_blobs: bool,
    pub catalog: Catalog,
    /// Deletes of manifests over the vendor's own API.
    pub deletes_over_vendor_api: bool,
    pub referrers: bool,
    /// The reply to an expired token or password; `None` if nothing expires.
    pub expiry: Option<ExpiryReply>,
}

/// How a client presents its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// Not at all: there are no credentials.
    None,
    /// As Basic at the API; there are no tokens.
    Basic,
    /// At the token service, which issues a token for it.
    Token,
}

/// Who may list the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    Unsupported,
    /// Any user, over the vendor's own API: the repositories of the user's own namespaces.
    OwnNamespaces,
    Everyone,
    AnyUser,
    /// For an administrator, with a token.
    AdminByToken {
        user: &'static str,
    },
    /// For an administrator, with Basic at the API.
    AdminByBasic {
        user: &'static str,
    },
}

impl Capabilities {
    /// The capabilities of a registry with tokens that supports everything but referrers.
    pub(super) fn plain() -> Self {
        Self {
            credential: Some(("acme", "password")),
            auth_kind: AuthKind::Token,
            anonymous_pull: true,
            name_components: 1..=usize::MAX,
            public_repository: "acme/public",
            private_repository: "acme/private",
            push: true,
            push_creates_repository: true,
            delete_tags: true,
            delete_manifests: true,
            delete_blobs: true,
            catalog: Catalog::AnyUser,
            deletes_over_vendor_api: false,
            referrers: false,
            expiry: Some(ExpiryReply::Challenge),
        }
    }

    /// The capabilities of a read-only registry without credentials.
    pub(super) fn open() -> Self {
        Self { credential: None, auth_kind: AuthKind::None, expiry: None, ..Self::plain() }.read_only()
    }

    pub(super) fn read_only(self) -> Self {
        Self { push: false, push_creates_repository: false, ..self }.undeletable()
    }

    pub(super) fn undeletable(self) -> Self {
        Self { delete_tags: false, delete_manifests: false, delete_blobs: false, ..self }
    }
}

impl Registry {
    /// Adds what the preset's capabilities name: the public repository and, unless there are no credentials, the user
    /// and the private repository. Both repositories have this image under `tag`.
    pub fn add_sample_content(&self, tag: &str, image: &Image) {
        let can = self.preset().capabilities.clone();
        self.publish(can.public_repository, tag, image);
        if let Some((user, password)) = can.credential {
            self.add_user(user, password);
            self.publish_private(can.private_repository, tag, image);
        }
    }
}

impl Preset {
    /// Whether a repository may have this name.
    pub fn allows_name(&self, name: &str) -> bool {
        self.capabilities.name_components.contains(&name.split('/').count())
    }
}
