//! The tokens of vendors' APIs that take one for a login, under the rules of the registries' tokens: concurrent requests
//! share one login, tokens are renewed while they are in use, and refusals are remembered for seconds.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::client::ApiClient;
use crate::auth::error::REFUSAL_MEMORY;
use crate::base::clock::WallClock;
use crate::base::lease::Lease;
use crate::base::lease_cache::{Covers, FetchAborted, FetchError, LeaseCache, Obtained};
use crate::base::secret::Secret;
use crate::credential::CredentialId;
use crate::net::retry_after;
use crate::observe::blame::{Blame, Step};
use crate::observe::metrics::Metrics;
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::token::UnverifiedClaims;
use crate::profile::NamespaceListing;
use crate::proxy::error_response::ErrorResponse;
use crate::upstream::{SharedUpstream, Upstream, UpstreamId};

/// Tokens by registry and credential. A token never serves another credential.
#[derive(Debug)]
pub struct ApiTokens(Arc<LeaseCache<UpstreamId, LoginKey, ApiToken, LoginError>>);

impl Default for ApiTokens {
    fn default() -> Self {
        Self(LeaseCache::new(MAX_REGISTRIES, MAX_TOKENS_PER_REGISTRY))
    }
}

impl ApiTokens {
    /// A cached token, or a new one for this login.
    pub(super) async fn get(
        &self,
        upstream: &SharedUpstream,
        login: &Arc<Login>,
        record: &mut Record,
    ) -> Result<Obtained<ApiToken>, ErrorResponse> {
        let (started, fetch) = (Instant::now(), Fetch { upstream: Arc::downgrade(upstream), login: login.clone() });
        let obtained =
            self.0.get_or_fetch(&upstream.id, &LoginKey(login.credential), move || fetch.clone().run()).await;
        record.auth += started.elapsed();
        let obtained = obtained.map_err(|error| error.response(upstream))?;
        record.grant = if obtained.is_newly_fetched { "fetched" } else { "cached" };
        login.metrics.token_used(&upstream.label, record.grant);
        Ok(obtained)
    }

    /// Removes a token that the API rejected, unless a newer one has already replaced it.
    pub(super) fn reject(&self, upstream: &Upstream, rejected: &Arc<Lease<ApiToken>>) {
        self.0.reject(&upstream.id, rejected);
    }

    /// Forgets the tokens of all upstreams but these, so that they are no longer renewed.
    pub fn retain_upstreams(&self, upstreams: &HashSet<UpstreamId>) {
        self.0.retain(|upstream| upstreams.contains(upstream));
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct LoginKey(CredentialId);

impl Covers for LoginKey {
    fn covers(&self, requested: &Self) -> bool {
        self == requested
    }
}

/// A token of an API.
#[derive(Debug)]
pub(super) struct ApiToken {
    pub(super) secret: Secret,
    /// The login's own namespaces, once the API has listed them.
    pub(super) namespaces: ArcSwapOption<Vec<String>>,
}

/// What a login needs, kept by the cache for renewals.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) api: NamespaceListing,
    pub(super) user: Box<str>,
    pub(super) password: Secret,
    pub(super) credential: CredentialId,
    /// Where the credential comes from, for messages.
    pub(super) source: Box<str>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: WallClock,
}

impl Login {
    /// A client of the API, without a token yet.
    pub(super) fn client<'a>(&'a self, upstream: &'a Upstream) -> Result<ApiClient<'a>, ErrorResponse> {
        ApiClient::new(upstream, self.api.host, (&self.password, &self.source), &self.metrics)
    }

    /// Exchanges user name and password for a token.
    async fn exchange(&self, upstream: &Upstream) -> Result<Lease<ApiToken>, ErrorResponse> {
        let (client, begun) = (self.client(upstream)?, Instant::now());
        let (user, secret) = self.api.login_members;
        let login = json!({ user: &*self.user, secret: self.password.expose() });
        let response = client.post(self.api.login_path, &login).await?;
        if response.status != StatusCode::OK {
            return Err(client.refused(&response, self.api.right));
        }
        let answer: Map<String, Value> = client.document(&response)?;
        let secret = answer.get(self.api.token_member).and_then(Value::as_str).map(Secret::new);
        let secret = secret.ok_or_else(|| client.unusable("its response has no token"))?;
        let lifetime = UnverifiedClaims::decode(&secret).lifetime(self.clock.unix_time()).unwrap_or(DEFAULT_LIFETIME);
        Ok(Lease::new(ApiToken { secret, namespaces: ArcSwapOption::empty() }, begun, lifetime))
    }
}

#[derive(Clone)]
struct Fetch {
    /// Weak, so that no renewal outlives the upstream, which decides where the credential may be sent.
    upstream: Weak<Upstream>,
    login: Arc<Login>,
}

impl Fetch {
    async fn run(self) -> Result<Lease<ApiToken>, LoginError> {
        let upstream = self.upstream.upgrade().ok_or(LoginError::Aborted)?;
        let outcome = self.login.exchange(&upstream).await.map_err(|response| {
            let retry_after = retry_after::parse(&HeaderMap::from_iter(response.headers.clone()), self.login.clock);
            LoginError::Failed { response, retry_after }
        });
        let metric = match &outcome {
            Ok(_) => "granted",
            Err(error) if error.is_refusal() => "refused",
            Err(_) => "failed",
        };
        self.login.metrics.token_fetched(&upstream.label, metric);
        outcome
    }
}

/// Why there is no token.
#[derive(Debug)]
enum LoginError {
    Failed {
        response: ErrorResponse,
        /// The wait that the API asked for.
        retry_after: Option<Duration>,
    },
    /// The login panicked, or a changed configuration removed the registry.
    Aborted,
}

impl LoginError {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Failed { response, .. } if response.status == StatusCode::FORBIDDEN)
    }

    fn response(&self, upstream: &Upstream) -> ErrorResponse {
        match self {
            Self::Failed { response, .. } => response.clone(),
            Self::Aborted => ErrorResponse::new(
                StatusCode::BAD_GATEWAY,
                ErrorCode::Unavailable,
                Blame::Registry,
                Step::Registry,
                format!("{}: the login at the vendor's API was aborted; retry the request", upstream.host.as_str()),
            ),
        }
    }
}

impl From<FetchAborted> for LoginError {
    fn from(_: FetchAborted) -> Self {
        Self::Aborted
    }
}

impl FetchError for LoginError {
    fn negative_ttl(&self) -> Option<Duration> {
        self.is_refusal().then_some(REFUSAL_MEMORY)
    }

    fn min_renewal_delay(&self) -> Option<Duration> {
        match self {
            Self::Failed { retry_after, .. } => *retry_after,
            Self::Aborted => None,
        }
    }
}

/// Of a token that does not say how long it is valid.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
const MAX_REGISTRIES: usize = 1024;
const MAX_TOKENS_PER_REGISTRY: usize = 256;
