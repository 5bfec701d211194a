//! What a registry can, as data: for tests that walk all of them.

use std::ops::RangeInclusive;

use super::super::content::Image;
use super::super::registry::Registry;
use super::{Expiry, Preset};

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Abilities {
    /// User and password; `None` where nobody logs in.
    pub login: Option<(&'static str, &'static str)>,
    /// How the login is shown to the API.
    pub shown: Shown,
    /// What is public can be pulled without a login.
    pub anonymous: bool,
    /// How many parts a repository's name may have.
    pub parts: RangeInclusive<usize>,
    /// A legal name of a public repository, and one that only the login reaches; the same where nobody logs in.
    pub public: &'static str,
    pub private: &'static str,
    pub push: bool,
    /// Pushing makes the repository; otherwise it must be there.
    pub creates: bool,
    /// Manifests by tag, manifests by digest, blobs.
    pub delete_tags: bool,
    pub delete_manifests: bool,
    pub delete_blobs: bool,
    pub catalog: Catalog,
    pub referrers: bool,
    /// How an expired token, or password, is refused; `None` where none expires.
    pub expiry: Option<Expiry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// There is nothing to show.
    Nothing,
    /// Basic at the API; there are no tokens.
    Basic,
    /// To the token service, which gives a token.
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    Never,
    Everyone,
    Login,
    /// An administrator's login, by token.
    Admin {
        user: &'static str,
    },
    /// An administrator's login, by Basic at the API.
    AdminByBasic {
        user: &'static str,
    },
}

impl Abilities {
    /// Of a registry with tokens that takes everything.
    pub(super) fn plain() -> Self {
        Self {
            login: Some(("acme", "password")),
            shown: Shown::Token,
            anonymous: true,
            parts: 1..=usize::MAX,
            public: "acme/public",
            private: "acme/private",
            push: true,
            creates: true,
            delete_tags: true,
            delete_manifests: true,
            delete_blobs: true,
            catalog: Catalog::Login,
            referrers: false,
            expiry: Some(Expiry::Challenge),
        }
    }

    /// Nothing but pulls, by everyone.
    pub(super) fn open() -> Self {
        Self { login: None, shown: Shown::Nothing, expiry: None, ..Self::plain() }.read_only()
    }

    pub(super) fn read_only(self) -> Self {
        Self { push: false, creates: false, ..self }.undeletable()
    }

    pub(super) fn undeletable(self) -> Self {
        Self { delete_tags: false, delete_manifests: false, delete_blobs: false, ..self }
    }
}

impl Registry {
    /// Gives it the login, the public and the private repository of its abilities, each with this image as `tag`.
    pub fn furnish(&self, tag: &str, image: &Image) {
        let can = self.preset().can.clone();
        self.publish(can.public, tag, image);
        if let Some((user, password)) = can.login {
            self.user(user, password);
            self.keep(can.private, tag, image);
        }
    }
}

impl Preset {
    /// Whether a repository may have this name.
    pub fn is_legal(&self, name: &str) -> bool {
        self.can.parts.contains(&name.split('/').count())
    }
}
