//! Tokens for a demand: from memory, from the token service, or from where it moved.

use std::sync::Arc;

use tokio::time::timeout;

use super::{Ask, Authorizer, PATIENCE};
use crate::auth::demand::{Bearer, Demand, Standing};
use crate::auth::error::AuthError;
use crate::auth::exchange::exchange;
use crate::auth::grant::{Grant, How};
use crate::base::host::RegistryHost;
use crate::base::lease_cache::Covers;
use crate::credential::{CredentialId, Found};
use crate::oci::operation::Access;
use crate::oci::scope::ScopeSet;

/// Tokens of one group are interchangeable where their scopes allow; across groups never.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenGroup {
    registry: RegistryHost,
    credential: CredentialId,
    realm: Box<str>,
    service: Option<Box<str>>,
}

impl Covers for ScopeSet {
    fn covers(&self, wanted: &Self) -> bool {
        Self::covers(self, wanted)
    }
}

impl Authorizer {
    /// A token from where the demand says; when nobody is there, from where the registry sends us now.
    pub(super) async fn token(
        &self,
        ask: &Ask,
        standing: &Standing,
        demand: &Arc<Demand>,
        bearer: &Bearer,
        found: &Found,
        fell_back_from: Option<Box<str>>,
    ) -> Result<Grant, Arc<AuthError>> {
        match self.token_at(ask, standing, demand, bearer, found, fell_back_from.clone()).await {
            Err(error) if error.is_lost_realm() => match self.moved(ask, standing, demand).await.as_ref() {
                Some(moved) => match &**moved {
                    Demand::Bearer(bearer) => self.token_at(ask, standing, moved, bearer, found, fell_back_from).await,
                    Demand::Open | Demand::Basic => Err(error),
                },
                None => Err(error),
            },
            outcome => outcome,
        }
    }

    /// What the registry demands instead of `lost`, whose realm is gone. Asked by one request for all, and not again
    /// at once. Until there is an answer the old demand stays, because tokens are held for it.
    async fn moved(&self, ask: &Ask, standing: &Standing, lost: &Arc<Demand>) -> Option<Arc<Demand>> {
        let _lesson = timeout(PATIENCE, standing.lesson()).await;
        if let Some(other) = standing.demand().filter(|now| !Arc::ptr_eq(now, lost)) {
            return Some(other);
        }
        if !standing.is_time_to_look_again() {
            return None;
        }
        let challenges = timeout(ask.upstream.timeouts.token, self.ping(ask)).await.ok()?.ok()?;
        let demand = Demand::read(&ask.upstream, &challenges).ok()??;
        (!demand.leads_where(lost)).then(|| standing.pin(demand))
    }

    async fn token_at(
        &self,
        ask: &Ask,
        standing: &Standing,
        demand: &Arc<Demand>,
        bearer: &Bearer,
        found: &Found,
        fell_back_from: Option<Box<str>>,
    ) -> Result<Grant, Arc<AuthError>> {
        let realm = bearer.realm.url();
        let group = TokenGroup {
            registry: ask.upstream.host.clone(),
            credential: found.id,
            realm: format!("{}{}", realm.origin, realm.target()).into(),
            service: bearer.service.clone(),
        };
        let asked = standing.corrected(&ask.scopes);
        let fetch = {
            let (upstream, demand, scopes) = (ask.upstream.clone(), demand.clone(), asked.clone());
            let (found, metrics, clock) = (found.clone(), self.metrics.clone(), self.clock);
            move || {
                let (upstream, demand, scopes) = (upstream.clone(), demand.clone(), scopes.clone());
                let (found, metrics) = (found.clone(), metrics.clone());
                async move {
                    let Demand::Bearer(bearer) = &*demand else { return Err(AuthError::Abandoned) };
                    let outcome = exchange(&upstream, bearer, &scopes, &found, clock).await;
                    let word = match &outcome {
                        Ok(_) => "granted",
                        Err(error) if error.is_refusal() => "refused",
                        Err(_) => "failed",
                    };
                    metrics.token_fetch(upstream.host.as_str(), word);
                    outcome
                }
            }
        };
        let obtained = self.tokens.get_or_fetch(&group, &asked, fetch).await?;
        self.metrics.token_used(ask.upstream.host.as_str(), if obtained.fresh { "fetched" } else { "cached" });
        if ask.access != Access::Pull
            && let Some(granted) = obtained.lease.value.granted.as_ref().filter(|granted| !granted.covers(&asked))
        {
            return Err(Arc::new(AuthError::NotGranted {
                realm: realm.clone(),
                asked,
                granted: granted.clone(),
                source_name: found.source.clone(),
            }));
        }
        let how = How::Token { lease: obtained.lease, group, asked, fresh: obtained.fresh };
        Ok(Grant { how, found: found.clone(), fell_back_from })
    }
}
