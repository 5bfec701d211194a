//! What is known of each registry, as data: one row a registry, one field a peculiarity.
//!
//! A peculiarity ("knob") is read in exactly one function of the floors above; nothing above compares host or vendor
//! names. Adding a registry is adding a row, a simulator preset and a page of documentation.

mod lookup;
mod rows;

use std::time::Duration;

use http::StatusCode;

pub use lookup::{by_challenge, by_host, by_name, canonical_host, fallback, hub, is_well_known};
pub use rows::ALL;

use crate::oci::name::RepositoryName;
use crate::oci::scope::Action;

/// One registry's row.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Profile {
    /// As the configuration names it.
    pub name: &'static str,
    /// The names people use for the registry. The first is the one it is known by here, the others are its aliases.
    pub hosts: &'static [&'static str],
    /// Hosts of registries that have one each for every customer, label by label; `*` stands for one label. Such a
    /// registry is known by its host once it is configured.
    pub families: &'static [&'static str],
    /// Where the API lives when it is not at the first of `hosts`.
    pub api_host: Option<&'static str>,
    /// Further keys under which docker's `config.json` keeps this registry's login.
    pub credential_keys: &'static [&'static str],
    /// Token services beside the registry's own origin that may see its credential.
    pub realm_hosts: &'static [&'static str],
    /// What gives the registry away in its first challenge, where the host does not: any one of these.
    pub signs: &'static [Sign],
    /// Where names of one component live.
    pub namespace: Option<&'static str>,
    pub catalog: Catalog,
    /// Why nothing can be written over this API, and where to turn instead.
    pub read_only: Option<&'static str>,
    pub delete: Delete,
    pub uploads: Uploads,
    /// How a refusal looks that means no more than that the credential or token is over.
    pub expired: &'static [Expired],
    /// Whether whoever comes without a login is asked for one with a 403 and a Basic challenge.
    pub challenges_with_403: bool,
    /// Whether a HEAD of a blob is refused where its GET works, and has to be answered from one.
    pub blob_head_by_get: bool,
    /// Whether a HEAD is challenged without the scope that a GET of the same is told.
    pub heads_hide_scope: bool,
    /// Whether asking for referrers leads to a web site, whose rate limit says no more than its pages.
    pub referrers_are_pages: bool,
    /// Whether the tag that the referrers' fallback reads (`sha256-<hex>`) is taken for the digest it spells, and gives
    /// the subject itself.
    pub reads_tags_as_digests: bool,
    /// What listing tags needs beside `pull`.
    pub tag_actions: &'static [&'static str],
    /// Whether its 429 is a limit of minutes or hours, against which asking again is of no use, or worse.
    pub limits_are_long: bool,
    /// How long a token lasts when neither the reply nor the token tells (60 s in distribution's token documentation).
    pub fallback_lifetime: Duration,
    /// Where the row's claims come from.
    pub evidence: &'static [Evidence],
}

impl Profile {
    /// What the registry calls a repository.
    pub fn place(&self, name: RepositoryName) -> RepositoryName {
        name.in_namespace(self.namespace)
    }

    /// Whether what a busy registry answers may be another answer after a moment.
    pub fn is_soon_over(&self, status: StatusCode) -> bool {
        !(status == StatusCode::TOO_MANY_REQUESTS && self.limits_are_long)
    }
}

/// How the list of repositories is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// With the scope `registry:catalog:*`.
    Standard,
    /// With a token for this scope, empty for none; `login`: with a login only.
    Scoped { scope: &'static str, login: bool },
    /// With the login itself, and no token.
    ByLogin,
    /// Not at all.
    Lacking { hint: &'static str },
}

/// How manifests and blobs are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delete {
    /// With a token for these actions.
    Actions(&'static [Action]),
    /// The same, and by digest only: a tag is looked up first, and its manifest goes with all its tags.
    ByDigest(&'static [Action]),
    /// Not over the distribution API.
    Lacking { hint: &'static str },
}

/// What of the specification's ways to upload a blob the registry takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// The longest body, in bytes, that the PUT may have which ends an upload; what is longer goes by PATCH before it.
    pub longest_put: Option<u64>,
    /// Whether it takes a whole blob with the POST that starts an upload.
    pub whole_by_post: bool,
    pub chunks: Chunks,
    pub mounts: Mounts,
}

/// What asking for a mount is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounts {
    /// The blob is mounted, or an upload starts.
    Any,
    /// The same with a source; without one it fails.
    FromSource,
    /// Nothing: it is not asked for.
    Never,
}

/// How a registry takes the chunks of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// As the client cuts them.
    Any,
    /// With `Content-Range` only up to this many bytes each.
    RangedUpTo(u64),
    /// With `Content-Length` only: a body of unknown length goes in pieces of this many bytes.
    Sized(u64),
    /// One for the whole blob. What a client cuts into chunks is kept here and sent as one body at the end.
    Whole,
}

/// One mark of a registry's first challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The `service` of a Bearer challenge.
    Service(&'static str),
    /// How the path of its realm ends.
    RealmPath(&'static str),
    /// The realm of a Basic challenge.
    BasicRealm(&'static str),
    /// The scope of a Bearer challenge.
    Scope(&'static str),
    /// The scope of a Bearer challenge, which is there and says nothing.
    EmptyScope,
    /// Both the service and the scope of a Bearer challenge.
    ServiceAndScope(&'static str, &'static str),
    /// A header beside the challenge.
    Header(&'static str),
}

/// A status other than 401, and the words in the body that tell it from a real refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    pub status: u16,
    /// In lower case.
    pub words: &'static str,
}

/// One observation behind a row: what, where it can be read, and the year or day it was made.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    pub what: &'static str,
    pub source: &'static str,
    pub date: &'static str,
}
