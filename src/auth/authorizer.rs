//! The token engine: offer what is known to be wanted, learn from refusals, never ask twice for the same thing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout};

use super::ask::Ask;
use super::demand::{Bearer, Demand, Lesson, Standing};
use super::error::AuthError;
use super::grant::{Grant, How, Token};
use super::memory::{Denials, StaleLogins};
use super::ping::tells_something;
use super::scopes::{Login, believed};
use super::tokens::TokenGroup;
use crate::base::clock::WallClock;
use crate::base::lease_cache::LeaseCache;
use crate::credential::Credential;
use crate::observe::metrics::Metrics;
use crate::oci::challenge::Challenge;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;
use crate::upstream::UpstreamId;

/// A grant to try, and the right to learn from its answer when nothing is known yet.
#[derive(Debug)]
pub struct Offer {
    pub grant: Grant,
    lesson: Option<Lesson>,
}

impl Offer {
    /// Whether nothing is known of the registry, and the answer to this offer is what everybody waits for.
    pub fn is_first(&self) -> bool {
        self.lesson.is_some()
    }
}

#[derive(Debug)]
pub struct Authorizer {
    standings: DashMap<UpstreamId, Arc<Standing>>,
    pub(super) tokens: Arc<LeaseCache<TokenGroup, ScopeSet, Token, AuthError>>,
    pub(super) stale: StaleLogins,
    pub(super) denials: Denials,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: WallClock,
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
        if ask.wants != Login::Welcome && self.credential(ask).await?.credential == Credential::Anonymous {
            return Err(AuthError::NoLogin { registry: ask.upstream.host.clone() });
        }
        let standing = self.standing(ask.upstream.id);
        if standing.demand().is_none() {
            let lesson = timeout(PATIENCE, standing.lesson()).await.ok().flatten();
            if standing.demand().is_none() {
                if ask.access == Access::Pull && ask.wants != Login::Itself {
                    return Ok(Offer { grant: Grant::nothing(None), lesson });
                }
                // What changes something is never sent on a guess: the demand is asked for first. And what takes the
                // login itself is challenged for it, which is not what the rest of the registry demands.
                match self.learn(ask, &standing, &HeaderMap::new()).await? {
                    Some(demand) => {
                        let grant = self.meet(ask, &standing, &demand).await?;
                        return Ok(Offer { grant, lesson: None });
                    }
                    None => standing.answered_openly(),
                }
            }
        }
        let grant = if self.may_be_answered_openly(ask, &standing).await? {
            None
        } else {
            self.meet_known(ask, &standing).await?
        };
        Ok(Offer { grant: grant.unwrap_or_else(|| Grant::nothing(None)), lesson: None })
    }

    /// What leads nowhere is pinned for those who have a token. To others the registry may show what is public: where it
    /// does not, its answer tells them what is wrong.
    async fn may_be_answered_openly(&self, ask: &Ask, standing: &Standing) -> Result<bool, AuthError> {
        let is_bare_read = ask.access == Access::Pull && ask.wants != Login::Itself;
        if !is_bare_read || standing.demand().is_none_or(|demand| demand.leads_somewhere()) {
            return Ok(false);
        }
        Ok(!matches!(self.credential(ask).await?.credential, Credential::Bearer { .. }))
    }

    /// Notes that a registry answered a request that carried no authorization, so that nobody waits to learn it.
    /// An answer of somebody who is busy or broken tells nothing.
    pub fn accepted(&self, ask: &Ask, offer: &mut Offer, status: StatusCode) {
        if tells_something(status) && matches!(offer.grant.how, How::Nothing) {
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
                let Some(demand) = self.learn(ask, &standing, head).await? else { return Ok(None) };
                refused.lesson = None;
                let next = self.meet(ask, &standing, &demand).await?;
                (!matches!(next.how, How::Nothing)).then_some(next)
            }
            How::Direct(_) => self.without_login(ask, &standing, grant).await?,
            How::Token { lease, group, asked, fresh } => {
                match correction(ask, &challenges).filter(|real| !asked.covers(real)) {
                    // The token is as good as any; it was asked for the wrong thing.
                    Some(real) => standing.corrections.learn(ask, real),
                    None if *fresh => return Ok(None),
                    None => self.tokens.reject(group, lease),
                }
                self.meet_known(ask, &standing).await?
            }
        };
        Ok(next.map(|grant| Offer { grant, lesson: None }))
    }

    /// A newer login or token than the one in `refused`, for a refusal that may be about something else: a token has
    /// to be of some age, and a login that has no successor stays.
    pub async fn renewed(&self, ask: &Ask, refused: &Offer) -> Result<Option<Offer>, AuthError> {
        let standing = self.standing(ask.upstream.id);
        let next = match &refused.grant.how {
            How::Nothing => None,
            How::Token { lease, .. } if lease.age(Instant::now()) < SAFE_AGE => None,
            How::Direct(_) => self.newer_than_doubted(ask, &refused.grant).await?,
            How::Token { lease, group, .. } => {
                self.tokens.reject(group, lease);
                self.meet_known(ask, &standing).await?
            }
        };
        Ok(next.map(|grant| Offer { grant, lesson: None }))
    }

    /// The best grant for what is demanded, if that is known.
    async fn meet_known(&self, ask: &Ask, standing: &Standing) -> Result<Option<Grant>, AuthError> {
        match standing.demand() {
            Some(demand) => self.meet(ask, standing, &demand).await.map(Some),
            None => Ok(None),
        }
    }

    /// Remembers for seconds that `grant`, fresh as it was, did not suffice.
    pub fn denied(&self, ask: &Ask, grant: &Grant, reason: String) {
        self.denials.add((ask.upstream.id, grant.credential_id()), ask.matter(), reason);
    }

    /// Forgets what other upstreams demand than these, and the tokens for them: nobody renews those any more.
    pub fn remember_only(&self, upstreams: &HashSet<UpstreamId>) {
        self.standings.retain(|upstream, _| upstreams.contains(upstream));
        self.tokens.retain(|group| upstreams.contains(&group.upstream));
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

    /// Makes the acquaintance of a registry whose kind is not known, for requests that depend on it.
    pub async fn greet(&self, ask: &Ask) -> Result<(), AuthError> {
        let standing = self.standing(ask.upstream.id);
        let _lesson = timeout(PATIENCE, standing.lesson()).await.ok().flatten();
        if ask.upstream.is_strange() {
            match self.learn(ask, &standing, &HeaderMap::new()).await? {
                // Either this login can do without, or the request would only find out again.
                Some(demand) if !demand.leads_somewhere() => drop(self.meet(ask, &standing, &demand).await?),
                Some(_) => {}
                None => standing.answered_openly(),
            }
        }
        Ok(())
    }

    /// Pins what an unauthenticated 401 demands. Without a usable challenge `/v2/` is asked for it.
    async fn learn(&self, ask: &Ask, standing: &Standing, head: &HeaderMap) -> Result<Option<Demand>, AuthError> {
        let challenges = Challenge::parse_all(head);
        if let Some(demand) = Demand::read(&ask.upstream, &challenges) {
            ask.upstream.recognise(&challenges, head);
            if let Some(real) = correction(ask, &challenges) {
                standing.corrections.learn(ask, real);
            }
            // Somebody who asked at the same time may have learned first.
            let pinned = standing.demand().filter(|pinned| pinned.bearer().is_some());
            return Ok(Some(pinned.unwrap_or_else(|| standing.pin_usable(demand))));
        }
        let head = self.ping(ask).await?;
        let challenges = Challenge::parse_all(&head);
        ask.upstream.recognise(&challenges, &head);
        Ok(Demand::read(&ask.upstream, &challenges).map(|demand| standing.pin_usable(demand)))
    }

    /// Where tokens come from instead of `lost`, whose realm is gone. Asked by one request for all, and not again at
    /// once. Until there is an answer the old demand stays, because tokens are held for it.
    pub(super) async fn moved(&self, ask: &Ask, standing: &Standing, lost: &Arc<Bearer>) -> Option<Arc<Bearer>> {
        let _lesson = timeout(PATIENCE, standing.lesson()).await;
        if let Some(now) = standing.demand()
            && !now.bearer().is_some_and(|now| Arc::ptr_eq(now, lost))
        {
            return now.bearer().cloned();
        }
        if !standing.is_time_to_look_again() {
            return None;
        }
        let head = timeout(ask.upstream.timeouts.token, self.ping(ask)).await.ok()?.ok()?;
        let demand = Demand::read(&ask.upstream, &Challenge::parse_all(&head))?;
        let is_elsewhere = !demand.bearer().is_some_and(|now| now.leads_where(lost));
        is_elsewhere.then(|| standing.pin_usable(demand))?.bearer().cloned()
    }
}

/// The scopes a challenge asks for, when it is to be believed.
fn correction(ask: &Ask, challenges: &[Challenge]) -> Option<ScopeSet> {
    let scope = challenges.iter().filter(|one| one.scheme == "bearer").find_map(|one| one.param("scope"))?;
    let told = ScopeSet::parse(scope);
    let real = believed(&ask.scopes, &told, ask.repository.as_ref(), ask.access);
    let named = |name: &RepositoryName| told.resources().any(|(resource, _)| *resource.name == *name.as_str());
    let confirms = || ask.repository.as_ref().is_some_and(named);
    (real != ask.scopes || confirms()).then_some(real)
}

/// A younger token has not run out, whatever is wrong with the request.
const SAFE_AGE: Duration = Duration::from_secs(60);
/// How long others wait for the one who learns.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_GROUPS: usize = 1024;
const MOST_TOKENS_PER_GROUP: usize = 4096;
