//! The simulated kinds of registry. A [`Preset`] describes one by values, and by closures (hooks) where a reply depends
//! on the request.

mod acr;
mod all;
mod artifactory;
mod capabilities;
mod distribution;
mod docker_hub;
mod ecr;
mod ecr_public;
mod extra_host;
mod generic;
mod ghcr;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod hosted;
mod kubernetes;
mod lists;
mod mcr;
mod ngc;
mod plain;
mod push;
mod quay;
mod scarf;
mod zot;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use self::capabilities::{AuthKind, Capabilities, Catalog};
pub use self::distribution::AuthMode;
pub use self::extra_host::ExtraHost;
pub use self::generic::ExpiryReply;
pub use self::gitea::GiteaChallenge;
pub use self::hosted::Hosted;
pub use self::lists::{LinkForm, ListRules, NTooLarge, Paging, Referrers};
pub(super) use self::plain::name_unknown;
pub use self::push::{
    ContentLength, DeleteRules, Limit, Locations, MonolithicPost, MountRules, MountSource, MountWithoutFrom,
    PatchRules, PushRules,
};
use super::registry::{ApiRequest, Denial, FOREVER, Policy, Scope, TokenRequest};
use super::reply::Reply;

/// A hook computes the reply to one request, or a decision about it. Hooks are closures, so that a test can replace
/// them.
type RequestHook<R> = Arc<dyn Fn(&ApiRequest<'_>) -> R + Send + Sync>;
type DenialHook = Arc<dyn Fn(&Denial<'_>) -> Reply + Send + Sync>;
type GrantHook = Arc<dyn Fn(&TokenRequest<'_>) -> Result<Vec<Scope>, Reply> + Send + Sync>;
type ClaimsHook = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// A kind of registry: how its servers reply.
#[derive(Clone)]
pub struct Preset {
    /// The in-memory host name of the API. The token service, the blob store and the upload host have `auth.`, `blobs.` and
    /// `uploads.` before it.
    pub host: String,
    /// Precedes a server's role in ledger lines: `two.` makes `registry` `two.registry`. Empty unless the preset is
    /// [`named`](Self::named).
    pub ledger_prefix: String,
    /// Sends header names as `Content-Type` instead of `content-type`, for registries whose transcripts show them so.
    pub title_case_headers: bool,
    /// Headers of every reply of the API.
    pub headers: &'static [(&'static str, &'static str)],
    /// A reply to send instead of authorizing and serving the request; `None` to serve it as usual.
    pub early_reply: RequestHook<Option<Reply>>,
    /// The reply of `/v2/` to an authorized request.
    pub base_reply: RequestHook<Reply>,
    pub policy: Policy,
    pub access: AccessControl,
    pub tokens: TokenRules,
    pub pull: PullRules,
    pub lists: ListRules,
    pub push: PushRules,
    pub extra_hosts: Vec<ExtraHost>,
    pub capabilities: Capabilities,
}

/// How the API authenticates and authorizes requests.
#[derive(Clone)]
pub struct AccessControl {
    /// Everything is allowed without a credential.
    pub open_to_all: bool,
    /// Reads of public repositories are allowed without a credential.
    pub public_reads_open: bool,
    /// The API accepts Basic. If not, a request with Basic is denied and breaks `Rule::BasicAtRegistry`.
    pub accepts_basic: bool,
    /// Whether Basic is accepted from this user.
    pub accepts_basic_from: fn(&str) -> bool,
    /// The password that a bearer token contains, for registries that accept a password as bearer token.
    pub password_from_bearer: fn(&str) -> Option<String>,
    /// How long a password is valid after it was set; `None` if it does not expire.
    pub password_lifetime: Option<Duration>,
    /// The scopes that a request requires.
    pub required_scopes: RequestHook<Vec<Scope>>,
    /// The reply to a denied request, including its challenge.
    pub reject: DenialHook,
}

/// How the token service grants and replies.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct TokenRules {
    pub host: TokenHost,
    pub path: String,
    /// The realm of the challenges; `None` for the token service's own URL.
    pub realm: Option<String>,
    /// The service of the challenges; `None` for the authority of the API.
    pub service: Option<String>,
    pub headers: &'static [(&'static str, &'static str)],
    /// The granted scopes; `Err` is the reply to a denied token request.
    pub grant: GrantHook,
    pub bad_credential_reply: Reply,
    /// The reply to POST; `None` if it is supported.
    pub post_rejection: Option<Reply>,
    /// The reply to `grant_type=password`; `None` if it is supported.
    pub password_grant_rejection: Option<Reply>,
    pub format: TokenFormat,
    /// Builds an opaque token from its number and the Unix time at which it expires.
    pub opaque_token: fn(usize, u64) -> String,
    /// Granting `push` in a token request creates the repository.
    pub push_creates_repository: bool,
    /// How long a token is valid.
    pub lifetime: Duration,
    /// `expires_in` of the reply, in seconds; `None` if the reply has no such field.
    pub expires_in: Option<i64>,
    /// The lifetime that a JWT states (`exp - iat`); `None` if it states the real `lifetime`.
    pub jwt_lifetime: Option<Duration>,
    pub issuer: String,
    pub access_parameters: &'static [(&'static str, &'static str)],
    /// Changes the claims of a JWT.
    pub edit_claims: Option<ClaimsHook>,
    pub reply_fields: Vec<TokenField>,
    pub issued_at: bool,
    /// The reply has a refresh token if the request asks for an offline token.
    pub issues_refresh_tokens: bool,
    pub chunked: bool,
}

/// Where the token service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenHost {
    /// At `auth.HOST`.
    OwnHost,
    /// At the origin of the API.
    Registry,
}

/// How a token looks, and what it grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFormat {
    Jwt,
    Opaque,
    /// A JWT without an `access` claim that grants everything its user may do.
    UserJwt,
    /// Opaque; grants everything its user may do, whatever was requested.
    UserOpaque,
    /// Base64 of `v1:user/repo:…` for anonymous requests, otherwise of the password. Grants everything its user may do,
    /// an anonymous one everything that is public.
    Ghcr,
}

/// A field of the token reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenField {
    /// Present, with the token as its value.
    Full(&'static str),
    /// Present, but `""`.
    Empty(&'static str),
}

/// How manifests and blobs are served.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct PullRules {
    pub blobs: Delivery,
    /// HEAD of a blob is answered by the API, although GET is redirected.
    pub head_served_directly: bool,
    /// How the URL of the last redirect is written.
    pub signed_url: SignedUrl,
    /// The blob store's reply to a signed request that also has an Authorization header; `None` if it serves such a
    /// request.
    pub second_authorization_reply: Option<Reply>,
    /// How the blob store answers a request for several ranges. The API itself answers as Go's `http.ServeContent`.
    pub store_ranges: SeveralRanges,
    /// The tag `sha256-HEX` is read as the digest `sha256:HEX`.
    pub digest_tags: bool,
    pub accept_mismatch: AcceptMismatch,
    pub missing_manifest: RequestHook<Reply>,
    pub digest_header: bool,
    pub etag: bool,
    pub rate_limit: Option<RateLimit>,
}

/// The answer to a `Range` with several ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeveralRanges {
    /// 206 `multipart/byteranges`, as Go's `http.ServeContent`, nginx and some CDNs (docker-registry 2.8.2, observed
    /// 2026-11-29). The whole content if the ranges have more bytes than that.
    Multipart,
    /// 200 with the whole content: S3 and Cloud Storage support one range for each request (their API references, GET).
    Whole,
}

/// How the API serves a blob.
#[derive(Clone, Debug)]
pub enum Delivery {
    Direct,
    Redirect {
        hops: Vec<Hop>,
        valid_for: Duration,
        /// Whether the signed URL is also valid for HEAD.
        head_allowed: bool,
    },
}

/// One redirect: its status and its target.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    pub status: u16,
    pub to: HopTarget,
}

/// The target of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopTarget {
    /// The origin of the redirected request; the Location is only a path.
    SameOrigin,
    Registry,
    BlobStore,
}

/// How a signed URL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedUrl {
    /// `/signed/DIGEST?expires=…&signature=…`
    InQuery,
    /// `/artifacts-downloads/namespaces/P/repositories/R/downloads/…`
    InPath,
}

/// The reply to a manifest request whose `Accept` does not name the media type of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptMismatch {
    /// The manifest as stored.
    ServeStored,
    /// The manifest converted to `schemaVersion` 1 if `Accept` names no manifest type of OCI or docker; otherwise the
    /// manifest as stored.
    ServeSchema1,
    /// 404 if the stored manifest is of an OCI type; for a tag of a docker manifest list, the list's amd64 manifest;
    /// anything else as stored.
    NotFound,
}

/// A limit on the manifest pulls of all clients together. `window` only appears in headers: no time resets the count,
/// only [`Registry::reset_rate_limit`](super::Registry::reset_rate_limit) does.
#[derive(Clone, Debug)]
pub struct RateLimit {
    pub limit: usize,
    pub window: Duration,
    pub exceeded: Reply,
}

impl Preset {
    /// Changes the host name to `NAME.test` and precedes the roles in the ledger by `NAME.`, for several registries with the
    /// same preset in one simulation.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.host = format!("{name}.test");
        self.ledger_prefix = format!("{name}.");
        self
    }

    /// Sets the lifetime of tokens, and of passwords if they expire. `exp` and `expires_in`, where the registry sends
    /// them, state this lifetime.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.tokens.lifetime = lifetime;
        self.tokens.jwt_lifetime = None;
        self.access.password_lifetime = self.access.password_lifetime.and(Some(lifetime));
        for other in &mut self.extra_hosts {
            other.preset = other.preset.clone().lifetime(lifetime);
        }
        self.tokens.expires_in = self.tokens.expires_in.and(i64::try_from(lifetime.as_secs()).ok());
        self
    }

    /// Sets the realm of the challenges, which need not be the token service's URL.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.tokens.realm = Some(realm.to_owned());
        self
    }

    /// Serves blobs through these redirects; the API sends the first.
    #[must_use]
    pub fn blob_hops(mut self, hops: &[Hop]) -> Self {
        self.pull.blobs = Delivery::redirect(hops);
        self
    }
}

impl TokenRules {
    /// Makes the reply consist of one field with the token, without `expires_in` and `issued_at`.
    fn reply_with_only(&mut self, field: &'static str) {
        self.reply_fields = vec![TokenField::Full(field)];
        self.expires_in = None;
        self.issued_at = false;
    }
}

impl Delivery {
    /// One redirect to a signed URL at the blob store.
    fn to_blob_store(status: u16, valid_for: Duration) -> Self {
        Self::Redirect { hops: vec![Hop::new(status, HopTarget::BlobStore)], valid_for, head_allowed: true }
    }

    /// Makes the signed URL invalid for HEAD.
    fn for_get_only(mut self) -> Self {
        if let Self::Redirect { head_allowed, .. } = &mut self {
            *head_allowed = false;
        }
        self
    }

    /// Delivery through these redirects, to a signed URL that never expires.
    pub fn redirect(hops: &[Hop]) -> Self {
        Self::Redirect { hops: hops.to_vec(), valid_for: FOREVER, head_allowed: true }
    }
}

impl Hop {
    pub const fn new(status: u16, to: HopTarget) -> Self {
        Self { status, to }
    }
}
