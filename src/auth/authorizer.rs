//! The token engine: offer what is known to be wanted, learn from refusals, never ask twice for the same thing.

mod tokens;

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use http::header::HOST;
use http::{HeaderMap, Request, StatusCode};
use tokio::time::timeout;
use tracing::warn;

use super::demand::{Bearer, Demand, Lesson, Standing};
use super::error::AuthError;
use super::exchange::add_common_headers;
use super::grant::{self, Grant, How, Token};
use super::memory::{Denials, Login, StaleLogins};
use super::scopes::believed;
use crate::base::clock::WallClock;
use crate::base::lease_cache::LeaseCache;
use crate::credential::{Credential, CredentialId, Found, Wanted};
use crate::net::body::drain;
use crate::observe::metrics::Metrics;
use crate::oci::challenge::Challenge;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;
use crate::upstream::{SharedUpstream, UpstreamId};

pub use tokens::TokenGroup;

/// What a request wants to do, as far as authorization cares.
#[derive(Clone, Debug)]
pub struct Ask {
    pub upstream: SharedUpstream,
    pub repository: Option<RepositoryName>,
    pub scopes: ScopeSet,
    pub access: Access,
}

/// A grant to try, and the right to learn from its answer when nothing is known yet.
#[derive(Debug)]
pub struct Offer {
    pub grant: Grant,
    lesson: Option<Lesson>,
}

#[derive(Debug)]
pub struct Authorizer {
    standings: DashMap<UpstreamId, Arc<Standing>>,
    tokens: Arc<LeaseCache<TokenGroup, ScopeSet, Token, AuthError>>,
    stale: StaleLogins,
    denials: Denials,
    metrics: Arc<Metrics>,
    clock: WallClock,
}

impl Authorizer {
    pub fn new(metrics: Arc<Metrics>, clock: WallClock) -> Self {
        Self {
            standings: DashMap::new(),
            tokens: LeaseCache::new(MOST_GROUPS, MOST_TOKENS_PER_GROUP),
            stale: StaleLogins::default(),
            denials: Denials::default(),
            metrics,
            clock,
        }
    }

    /// The authorization to send a request with. Where nothing is known of the registry, one request at a time gets
    /// an empty grant and learns; the others wait for what it learns, though not for long: it may hang for reasons of
    /// its own.
    pub async fn offer(&self, ask: &Ask) -> Result<Offer, AuthError> {
        let standing = self.standing(ask.upstream.id);
        if standing.demand().is_none() {
            let lesson = timeout(PATIENCE, standing.lesson()).await.ok().flatten();
            if standing.demand().is_none() {
                return Ok(Offer { grant: Grant::nothing(None), lesson });
            }
        }
        let grant = match standing.demand() {
            Some(demand) => self.meet(ask, &standing, &demand).await?,
            None => Grant::nothing(None),
        };
        Ok(Offer { grant, lesson: None })
    }

    /// Notes that a registry answered a request that carried no authorization, so that nobody waits to learn it.
    /// An answer of somebody who is busy or broken tells nothing.
    pub fn accepted(&self, ask: &Ask, offer: &mut Offer, status: StatusCode) {
        let tells = !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS;
        if tells && matches!(offer.grant.how, How::Nothing) {
            self.standing(ask.upstream.id).answered_openly();
        }
        offer.lesson = None;
    }

    /// What to try after a 401: `None` when there is nothing better than what was refused.
    pub async fn answer(&self, ask: &Ask, refused: &mut Offer, head: &HeaderMap) -> Result<Option<Offer>, AuthError> {
        let standing = self.standing(ask.upstream.id);
        let challenges = Challenge::parse_all(head);
        let grant = &refused.grant;
        let next = match &grant.how {
            How::Nothing if grant.fell_back_from.is_some() => None,
            How::Nothing => {
                let Some(demand) = self.learn(ask, &standing, &challenges).await? else { return Ok(None) };
                refused.lesson = None;
                let next = self.meet(ask, &standing, &demand).await?;
                (!matches!(next.how, How::Nothing)).then_some(next)
            }
            How::Direct(_) => self.without_login(ask, &standing, grant).await?,
            How::Token { lease, group, asked, fresh } => {
                match correction(ask, &challenges).filter(|real| !asked.covers(real)) {
                    // The token is as good as any; it was asked for the wrong thing.
                    Some(real) => standing.correct(&ask.scopes, real),
                    None if *fresh => return Ok(None),
                    None => self.tokens.reject(group, lease),
                }
                let demand = standing.demand();
                self.meet_again(ask, &standing, demand).await?
            }
        };
        Ok(next.map(|grant| Offer { grant, lesson: None }))
    }

    /// Remembers for seconds that `grant`, fresh as it was, did not suffice.
    pub fn denied(&self, ask: &Ask, grant: &Grant, reason: String) {
        self.denials.add((ask.upstream.host.clone(), grant.credential_id()), ask.scopes.clone(), reason);
    }

    fn standing(&self, upstream: UpstreamId) -> Arc<Standing> {
        if let Some(standing) = self.standings.get(&upstream) {
            return standing.clone();
        }
        if self.standings.len() >= MOST_GROUPS {
            self.standings.clear();
        }
        self.standings.entry(upstream).or_default().clone()
    }

    /// Pins what an unauthenticated 401 demands. One without a usable challenge sends us to `/v2/` for it.
    async fn learn(
        &self,
        ask: &Ask,
        standing: &Standing,
        challenges: &[Challenge],
    ) -> Result<Option<Arc<Demand>>, AuthError> {
        if let Some(demand) = Demand::read(&ask.upstream, challenges)? {
            if let Some(real) = correction(ask, challenges) {
                standing.correct(&ask.scopes, real);
            }
            // Somebody who asked at the same time may have learned first.
            let pinned = standing.demand().filter(|pinned| matches!(**pinned, Demand::Bearer(_)));
            return Ok(Some(pinned.unwrap_or_else(|| standing.pin(demand))));
        }
        let challenges = self.ping(ask).await?;
        Ok(Demand::read(&ask.upstream, &challenges)?.map(|demand| standing.pin(demand)))
    }

    async fn ping(&self, ask: &Ask) -> Result<Vec<Challenge>, AuthError> {
        let upstream = &ask.upstream;
        let url = upstream.url("/v2/", None);
        let mut request = Request::new(bytes::Bytes::new());
        *request.uri_mut() = url.uri().map_err(super::realm::RealmRefused::BadUrl)?;
        add_common_headers(request.headers_mut(), &url);
        debug_assert!(request.headers().contains_key(HOST));
        let client = upstream.client(&url.origin).map_err(|error| AuthError::Tls(error.to_string()))?;
        let (head, body) = client.send(&request).await.map_err(AuthError::Ping)?.into_parts();
        self.metrics.upstream_request(upstream.host.as_str(), "challenge", head.status.as_u16());
        drain(body).await;
        Ok(if head.status == StatusCode::UNAUTHORIZED { Challenge::parse_all(&head.headers) } else { Vec::new() })
    }

    async fn meet_again(
        &self,
        ask: &Ask,
        standing: &Standing,
        demand: Option<Arc<Demand>>,
    ) -> Result<Option<Grant>, AuthError> {
        match demand {
            Some(demand) => self.meet(ask, standing, &demand).await.map(Some),
            None => Ok(None),
        }
    }

    /// The best grant for a known demand.
    async fn meet(&self, ask: &Ask, standing: &Standing, demand: &Arc<Demand>) -> Result<Grant, AuthError> {
        if let Demand::Open = **demand {
            return Ok(Grant::nothing(None));
        }
        let found = self.credential(ask).await?;
        let login = self.not_denied(ask, found.id)?;
        let is_stale = ask.access == Access::Pull && self.stale.contains(&login, &ask.scopes);
        match &**demand {
            Demand::Open => Ok(Grant::nothing(None)),
            _ if is_stale => self.anonymously(ask, standing, demand, found.source).await,
            Demand::Basic => Ok(direct(found)),
            Demand::Bearer(_) if matches!(found.credential, Credential::Bearer { .. }) => Ok(direct(found)),
            Demand::Bearer(bearer) => match self.token(ask, standing, demand, bearer, &found, None).await {
                Err(error) if error.is_refusal() && found.credential != Credential::Anonymous => {
                    self.refused_login(ask, standing, demand, bearer, found, error).await
                }
                outcome => outcome.map_err(unshared),
            },
        }
    }

    /// The token service refused a login: perhaps its source has a newer one, else reads go on without.
    async fn refused_login(
        &self,
        ask: &Ask,
        standing: &Standing,
        demand: &Arc<Demand>,
        bearer: &Bearer,
        found: Found,
        error: Arc<AuthError>,
    ) -> Result<Grant, AuthError> {
        let mut refused = (found, error);
        if let Some(newer) = self.newer_credential(ask, refused.0.id).await? {
            match self.token(ask, standing, demand, bearer, &newer, None).await {
                Err(error) if error.is_refusal() => refused = (newer, error),
                outcome => return outcome.map_err(unshared),
            }
        }
        let (found, error) = refused;
        if ask.access != Access::Pull {
            return Err(unshared(error));
        }
        let whole_login =
            matches!(&*error, AuthError::TokenRefused { status, .. } if *status == StatusCode::UNAUTHORIZED);
        let anonymous =
            self.anonymously(ask, standing, demand, found.source.clone()).await.map_err(|_| unshared(error))?;
        self.mark_stale(ask, &found, if whole_login { None } else { Some(ask.scopes.clone()) });
        Ok(anonymous)
    }

    /// The registry refused the credential itself.
    async fn without_login(&self, ask: &Ask, standing: &Standing, grant: &Grant) -> Result<Option<Grant>, AuthError> {
        if let Some(newer) = self.newer_credential(ask, grant.credential_id()).await? {
            return Ok(Some(direct(newer)));
        }
        let Some(demand) = standing.demand() else { return Ok(None) };
        if ask.access != Access::Pull {
            return Ok(None);
        }
        // Only for what was asked: who answers 401 to a wrong password answers it to a good one at a closed door, too.
        self.mark_stale(ask, &grant.found, Some(ask.scopes.clone()));
        self.anonymously(ask, standing, &demand, grant.found.source.clone()).await.map(Some)
    }

    async fn anonymously(
        &self,
        ask: &Ask,
        standing: &Standing,
        demand: &Arc<Demand>,
        login_source: Box<str>,
    ) -> Result<Grant, AuthError> {
        let nobody = Found::anonymous();
        self.not_denied(ask, nobody.id)?;
        match &**demand {
            Demand::Bearer(bearer) => {
                self.token(ask, standing, demand, bearer, &nobody, Some(login_source)).await.map_err(unshared)
            }
            Demand::Open | Demand::Basic => Ok(Grant::nothing(Some(login_source))),
        }
    }

    async fn credential(&self, ask: &Ask) -> Result<Found, AuthError> {
        let upstream = &ask.upstream;
        let wanted = Wanted {
            registry: &upstream.host,
            legacy_keys: upstream.profile.credential_keys,
            repository: ask.repository.as_ref(),
        };
        let provider = upstream.credentials.for_repository(ask.repository.as_ref());
        provider.fetch(&wanted).await.map_err(|error| AuthError::Credential { error })
    }

    /// What the credential's source says now, when that differs from what was refused.
    async fn newer_credential(&self, ask: &Ask, refused: CredentialId) -> Result<Option<Found>, AuthError> {
        ask.upstream.credentials.for_repository(ask.repository.as_ref()).refused(refused);
        let found = self.credential(ask).await?;
        Ok((found.id != refused && found.credential != Credential::Anonymous).then_some(found))
    }

    fn not_denied(&self, ask: &Ask, credential: CredentialId) -> Result<Login, AuthError> {
        let login = (ask.upstream.host.clone(), credential);
        match self.denials.reason(&login, &ask.scopes) {
            Some(reason) => Err(AuthError::Remembered(reason)),
            None => Ok(login),
        }
    }

    fn mark_stale(&self, ask: &Ask, found: &Found, scopes: Option<ScopeSet>) {
        let login: Login = (ask.upstream.host.clone(), found.id);
        if self.stale.add(login, scopes) {
            let registry = ask.upstream.host.as_str();
            self.metrics.login_rejected(registry);
            warn!(registry, source = &*found.source, "the registry rejects the stored login; pulls go on anonymously");
        }
    }
}

fn direct(found: Found) -> Grant {
    let header = match &found.credential {
        Credential::Bearer { token } => grant::bearer(token),
        other => grant::basic(other),
    };
    let how = header.map_or(How::Nothing, How::Direct);
    Grant { how, found, fell_back_from: None }
}

/// The scopes a challenge asks for, when it is to be believed and they differ from what was computed.
fn correction(ask: &Ask, challenges: &[Challenge]) -> Option<ScopeSet> {
    let scope = challenges.iter().filter(|one| one.scheme == "bearer").find_map(|one| one.param("scope"))?;
    let real = believed(&ask.scopes, &ScopeSet::parse(scope), ask.repository.as_ref(), ask.access);
    (real != ask.scopes).then_some(real)
}

/// An error leaves the cache shared; whoever reports it needs it as its own.
fn unshared(error: Arc<AuthError>) -> AuthError {
    Arc::try_unwrap(error).unwrap_or_else(AuthError::Shared)
}

/// How long others wait for the one who learns.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_GROUPS: usize = 1024;
const MOST_TOKENS_PER_GROUP: usize = 4096;
