//! What regpass knows about each registry, as data: one [`Profile`] per registry, one field per deviation.
//!
//! The request path reads these fields and never compares host or vendor names. To add a registry, add a profile in
//! `registries`, a simulator preset and a section of `docs/registries.md`.

mod lookup;
mod registries;
mod vendor_api;

use std::time::Duration;

use http::StatusCode;

pub use lookup::{by_challenge, by_host, by_name, canonical_host, fallback, hub, is_well_known, well_known};
pub use registries::ALL;
pub use vendor_api::{NamespaceListing, PackageVersions, VendorApi};

use crate::base::origin::Origin;
use crate::oci::name::RepositoryName;
use crate::oci::scope::Action;

/// The extensions below a repository name that regpass forwards as reads: the names that the distribution specification
/// reserves (`extensions/README.md`, 2026-07-16), except `_catalog`, which belongs to the whole registry.
pub const FORWARDED_EXTENSIONS: [&str; 3] = ["_chainguard", "_docker", "_oci"];

/// How one registry, or one kind of registry, differs from the specification.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Profile {
    /// The value of `profile` in the configuration.
    pub name: &'static str,
    /// Hosts of public registries that can be used without being configured. With an `api_host`, they are names of one
    /// registry: the first is canonical, the others are aliases. Without one, each host is a registry.
    pub hosts: &'static [&'static str],
    /// Patterns for registries with one host per customer or region, compared label by label; `*` matches one label. A
    /// registry that matches only a pattern can be used once it is configured.
    pub host_patterns: &'static [&'static str],
    /// Host of the registry's API, if that differs from its canonical name.
    pub api_host: Option<&'static str>,
    /// Additional keys under which docker's `config.json` stores credentials for this registry.
    pub credential_keys: &'static [&'static str],
    /// Hosts of token services outside the registry's own origin that may receive the registry's credential.
    pub realm_hosts: &'static [&'static str],
    /// Hosts of blob stores that the registry redirects reads to, for the operator's firewall only: regpass follows a
    /// redirect to any public host. A `*` stands for any text within a label.
    pub storage_hosts: &'static [&'static str],
    /// Marks in a registry's first challenge that select this profile when its host selects none. One match is enough.
    pub fingerprints: &'static [Fingerprint],
    /// Namespace that is added to repository names of one component (`python` becomes `library/python`).
    pub default_namespace: Option<&'static str>,
    pub catalog: Catalog,
    /// Set for registries that accept no pushes and deletes over this API: why, for the error message.
    pub read_only_reason: Option<&'static str>,
    pub delete: Delete,
    pub uploads: Uploads,
    /// Error responses other than 401 that mean only that the credential or token has expired or is invalid.
    pub expired_credential_errors: &'static [ErrorPattern],
    /// Whether the registry may answer an anonymous request with a 403 and a Basic challenge instead of a 401.
    pub challenges_anonymous_with_403: bool,
    /// Whether the registry denies the HEAD of a blob although it allows the GET, so that regpass sends a GET instead.
    pub blob_head_needs_get: bool,
    /// Whether the challenge to a HEAD lacks the scope that the challenge to the same GET names.
    pub head_challenge_lacks_scope: bool,
    /// Whether the registry redirects a referrers request to a web site. A 429 from there is the web site's rate limit,
    /// not the registry's.
    pub referrers_redirect_to_web_page: bool,
    /// Whether the registry reads the referrers fallback tag (`sha256-<hex>`) as a digest and returns the subject's own
    /// manifest.
    pub referrers_tag_returns_subject: bool,
    /// Whether the token service rejects a request for a second repository although its tokens are not limited to the
    /// requested one, so that a mount requests a token for its target alone.
    pub tokens_cover_every_repository: bool,
    /// Whether a 404 of the token service means that there is no such namespace, not that the service is gone.
    pub token_404_is_unknown_namespace: bool,
    /// Actions that listing tags needs in addition to `pull`.
    pub extra_tag_list_actions: &'static [&'static str],
    /// Whether the rate limits last minutes or hours, so that a retry after a 429 is useless or extends the limit.
    pub has_long_rate_limits: bool,
    /// Lifetime of a token when neither the token response nor the token states one (60 s by distribution's token
    /// specification).
    pub default_token_lifetime: Duration,
    /// Whether an anonymous token reads every public repository, whatever scope it was requested for.
    pub anonymous_tokens_are_unbound: bool,
    /// Observations and documents that support this profile.
    pub evidence: &'static [Evidence],
}

impl Profile {
    /// The name of a repository at the registry: names of one component get the default namespace.
    pub fn full_repository_name(&self, name: RepositoryName) -> RepositoryName {
        name.in_namespace(self.default_namespace)
    }

    /// The origins of token services outside the registry's own that may receive the registry's credential.
    pub fn realm_origins(&self) -> impl Iterator<Item = Origin> {
        self.realm_hosts.iter().filter_map(|host| Origin::https(host).ok())
    }

    /// The APIs beside the distribution API that regpass may ask.
    pub fn vendor_apis(&self) -> impl Iterator<Item = VendorApi> {
        let listing = match self.catalog {
            Catalog::Namespaces(listing) => Some(VendorApi::Namespaces(listing)),
            _ => None,
        };
        let packages = match self.delete {
            Delete::Packages(packages) => Some(VendorApi::Packages(packages)),
            _ => None,
        };
        listing.into_iter().chain(packages)
    }

    /// Whether a failure with `status` may be over within seconds. Only a 429 of a long rate limit is not.
    pub fn may_recover_soon(&self, status: StatusCode) -> bool {
        !(status == StatusCode::TOO_MANY_REQUESTS && self.has_long_rate_limits)
    }
}

/// How to list the repositories of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// With a token for the scope `registry:catalog:*`.
    Standard,
    /// With a token for this scope; an empty scope means a token without scopes. Some registries give an anonymous
    /// token no access to the catalog.
    Scoped { scope: &'static str, needs_credential: bool },
    /// With the credential itself (Basic) instead of a token.
    DirectCredential,
    /// Over the vendor's own API, which lists the namespaces of the credential.
    Namespaces(NamespaceListing),
    /// Not over the distribution API; `hint` says what to do instead.
    Unsupported { hint: &'static str },
}

/// How to delete manifests and blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delete {
    /// With a token for these actions. One of them may be enough: versions of a registry check different ones.
    Actions(&'static [Action]),
    /// As `Actions`, but the registry deletes by digest only. regpass resolves a tag to its digest first, so the
    /// manifest goes with all its tags.
    ByDigest(&'static [Action]),
    /// Manifests over the vendor's own API for packages; blobs not at all.
    Packages(PackageVersions),
    /// Not over the distribution API; `hint` says what to do instead.
    Unsupported { hint: &'static str },
}

/// Which of the specification's ways to upload a blob the registry accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// Maximum body, in bytes, of the PUT that ends an upload; `None` for any. regpass sends a longer body in a PATCH
    /// before the PUT.
    pub max_put_bytes: Option<u64>,
    /// Whether the POST that starts an upload may carry the whole blob.
    pub accepts_single_post: bool,
    pub chunks: Chunks,
    pub mounts: Mounts,
}

/// Whether the registry can mount a blob from another repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounts {
    /// Yes. If it cannot mount this blob, it starts an upload.
    Supported,
    /// Only with a `from` parameter. Without one regpass starts an upload instead of the mount.
    SourceRequired,
}

/// Which chunks of an upload the registry accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// Any size, with or without `Content-Range`.
    Any,
    /// A chunk with `Content-Range` may have at most this many bytes: regpass splits larger ones.
    RangedUpTo(u64),
    /// Only with `Content-Length`: regpass splits a body of unknown length into chunks of this many bytes.
    LengthRequired(u64),
    /// One chunk with the whole blob. If the client sends ranges, regpass buffers the chunks and sends them as one body
    /// at the end.
    Single,
}

/// A mark in a registry's first challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// The `service` of a Bearer challenge.
    Service(&'static str),
    /// The end of the path of a Bearer challenge's realm.
    RealmPath(&'static str),
    /// The realm of a Basic challenge.
    BasicRealm(&'static str),
    /// The scope of a Bearer challenge.
    Scope(&'static str),
    /// A Bearer challenge with an empty `scope` parameter.
    EmptyScope,
    /// Both the service and the scope of a Bearer challenge.
    ServiceAndScope(&'static str, &'static str),
    /// The name of a response header beside the challenge.
    Header(&'static str),
}

/// An error response, recognized by its status and a part of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorPattern {
    pub status: u16,
    /// In lower case; compared with the lower-cased message.
    pub body_contains: &'static str,
}

/// One observation that supports a profile.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// What was observed.
    pub what: &'static str,
    /// Document, source file or issue that shows it.
    pub source: &'static str,
    /// Year or day of the observation.
    pub date: &'static str,
}
