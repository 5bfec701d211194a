//! Registries as data: what each does differently, with a few hooks where data is not enough.

mod abilities;
mod acr;
mod all;
mod artifactory;
mod distribution;
mod docker_hub;
mod ecr;
mod ecr_public;
mod generic;
mod ghcr;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod kubernetes;
mod lists;
mod mcr;
mod ngc;
mod other;
mod plain;
mod push;
mod quay;
mod zot;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use self::abilities::{Abilities, Catalog, Shown};
pub use self::distribution::Mode;
pub use self::generic::Expiry;
pub use self::gitea::Offers;
pub use self::lists::{LinkForm, Lists, Paging, Referrers, TooMany};
pub use self::other::Other;
pub(super) use self::plain::name_unknown;
pub use self::push::{Deletes, Length, Limit, Locations, Mounts, Patches, Push, SinglePost, Source, WithoutFrom};
use super::registry::{Ask, Denial, FOREVER, Policy, Scope, TokenAsk};
use super::reply::Reply;

/// Hooks see one request and decide; closures, so that a test can bring its own.
type AskHook<R> = Arc<dyn Fn(&Ask<'_>) -> R + Send + Sync>;
type DenialHook = Arc<dyn Fn(&Denial<'_>) -> Reply + Send + Sync>;
type GrantHook = Arc<dyn Fn(&TokenAsk<'_>) -> Result<Vec<Scope>, Reply> + Send + Sync>;
type ClaimsHook = Arc<dyn Fn(&mut Value) + Send + Sync>;

#[derive(Clone)]
pub struct Preset {
    /// The in-memory host of the API; `auth.` and `blobs.` in front of it are the others.
    pub host: String,
    /// In front of the role in the ledger.
    pub label: String,
    /// `Content-Type` instead of `content-type`, where the transcripts show it.
    pub title_case: bool,
    /// On every answer of the API.
    pub headers: &'static [(&'static str, &'static str)],
    /// Answers that come before any authentication.
    pub oddities: AskHook<Option<Reply>>,
    /// The answer of `/v2/` to those who may in.
    pub base: AskHook<Reply>,
    pub policy: Policy,
    pub gate: Gate,
    pub tokens: Tokens,
    pub pull: Pull,
    pub lists: Lists,
    pub push: Push,
    /// Further hosts of the same registry.
    pub others: Vec<Other>,
    /// What a test that walks all registries may expect.
    pub can: Abilities,
}

/// How the API admits callers.
#[derive(Clone)]
pub struct Gate {
    /// Needs no credential at all.
    pub open: bool,
    /// Reads of public repositories need none.
    pub open_to_public: bool,
    /// Takes Basic; elsewhere Basic is a broken rule.
    pub basic: bool,
    /// Whose Basic it takes.
    pub basic_for: fn(&str) -> bool,
    /// The password that a bearer may be which no token service issued.
    pub password_in_bearer: fn(&str) -> Option<String>,
    /// How long a password is good.
    pub password_lifetime: Option<Duration>,
    /// What a request needs.
    pub scopes: AskHook<Vec<Scope>>,
    /// The whole refusal, challenge included.
    pub refuse: DenialHook,
}

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Tokens {
    pub place: TokenPlace,
    pub path: String,
    /// The realm of the challenge, when it is not the token service's own address.
    pub realm: Option<String>,
    /// `None`: the authority of the API.
    pub service: Option<String>,
    pub headers: &'static [(&'static str, &'static str)],
    /// What is granted of what was asked; `Err` is the refusal.
    pub grant: GrantHook,
    pub wrong_login: Reply,
    /// How POST is refused; `None` where it works.
    pub post_refused: Option<Reply>,
    /// How `grant_type=password` is refused; `None` where it works.
    pub password_refused: Option<Reply>,
    pub mint: Mint,
    /// How an opaque token is spelled: its number, and the end of its time.
    pub opaque: fn(usize, u64) -> String,
    /// A token call that names `push` makes the repository.
    pub push_creates: bool,
    /// How long a token really works.
    pub lifetime: Duration,
    /// `expires_in` as told, if at all.
    pub expires_in: Option<i64>,
    /// `exp - iat`, when it differs from `lifetime`.
    pub jwt_lifetime: Option<Duration>,
    pub issuer: String,
    pub access_parameters: &'static [(&'static str, &'static str)],
    /// The last word about the claims.
    pub claims: Option<ClaimsHook>,
    pub fields: Vec<TokenField>,
    pub issued_at: bool,
    /// Replies carry a refresh token when an offline token is asked for.
    pub refresh: bool,
    pub chunked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    OwnOrigin,
    Registry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mint {
    Jwt,
    Opaque,
    /// A JWT without `access`, good for whatever its user may.
    JwtOfUser,
    /// Opaque, and good for whatever its user may, not only for what was asked.
    Unbound,
    /// Base64 of `v1:user/repo:…`, or of the password itself.
    Ghcr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenField {
    Full(&'static str),
    /// There, but `""`.
    Empty(&'static str),
}

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Pull {
    pub blobs: Delivery,
    /// HEAD of a blob is answered here, where GET leads elsewhere.
    pub heads_stay: bool,
    /// The last hop's path and query.
    pub signed: Signed,
    /// How the store answers a signed request that carries Authorization too.
    pub doubly_authorized: Option<Reply>,
    /// The tag `sha256-HEX` is read as the digest.
    pub digest_tags: bool,
    pub untyped: Untyped,
    pub missing_manifest: AskHook<Reply>,
    pub digest_header: bool,
    pub etag: bool,
    pub rate: Option<Rate>,
}

#[derive(Clone, Debug)]
pub enum Delivery {
    Direct,
    Redirect {
        hops: Vec<Hop>,
        valid_for: Duration,
        /// Whether the signature covers HEAD too.
        head_allowed: bool,
    },
}

/// One redirect: its status and where it points.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    pub status: u16,
    pub to: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The same origin, by a relative Location.
    Here,
    Registry,
    Blobs,
}

/// How a signed address is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// `/signed/DIGEST?expires=…&signature=…`
    InQuery,
    /// `/artifacts-downloads/namespaces/P/repositories/R/downloads/…`
    InPath,
}

/// What a manifest request gets whose `Accept` does not name the manifest's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untyped {
    Native,
    Schema1,
    /// OCI types only when named; a Docker list becomes its amd64 member.
    NotFound,
}

#[derive(Clone, Debug)]
pub struct Rate {
    pub limit: usize,
    pub window: Duration,
    pub exceeded: Reply,
}

impl Preset {
    /// Another host and another name in the ledger: for several registries of one kind in a simulation.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.host = format!("{name}.test");
        self.label = format!("{name}.");
        self
    }

    /// Tokens live this long, and passwords where they age, and every way of telling says so.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.tokens.lifetime = lifetime;
        self.tokens.jwt_lifetime = None;
        self.gate.password_lifetime = self.gate.password_lifetime.and(Some(lifetime));
        for other in &mut self.others {
            other.preset = other.preset.clone().lifetime(lifetime);
        }
        self.tokens.expires_in = self.tokens.expires_in.and(i64::try_from(lifetime.as_secs()).ok());
        self
    }

    /// Challenges name this token service, wherever the real one is.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.tokens.realm = Some(realm.to_owned());
        self
    }

    /// Blobs come by these redirects, the first of which the registry answers.
    #[must_use]
    pub fn blob_hops(mut self, hops: &[Hop]) -> Self {
        self.pull.blobs = Delivery::redirect(hops);
        self
    }
}

impl Delivery {
    pub fn redirect(hops: &[Hop]) -> Self {
        Self::Redirect { hops: hops.to_vec(), valid_for: FOREVER, head_allowed: true }
    }
}

impl Hop {
    pub const fn new(status: u16, to: Place) -> Self {
        Self { status, to }
    }
}
