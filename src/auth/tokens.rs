//! Tokens held, and the way to those that are not.

use std::sync::Arc;

use super::ask::Ask;
use super::authorizer::Authorizer;
use super::demand::{Bearer, Standing};
use super::error::AuthError;
use super::exchange::exchange;
use super::grant::{Grant, How};
use crate::base::lease_cache::Covers;
use crate::credential::{CredentialId, Found};
use crate::oci::operation::Access;
use crate::oci::scope::{Action, ScopeSet};
use crate::upstream::UpstreamId;

/// Tokens of one group are interchangeable where their scopes allow; across groups never.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenGroup {
    pub(super) upstream: UpstreamId,
    pub(super) credential: CredentialId,
    pub(super) realm: Box<str>,
    service: Option<Box<str>>,
}

impl Covers for ScopeSet {
    fn covers(&self, wanted: &Self) -> bool {
        Self::covers(self, wanted)
    }
}

impl Authorizer {
    /// The token for what is asked: one that is held, or a new one from `bearer`'s realm.
    pub(super) async fn token_at(
        &self,
        ask: &Ask,
        standing: &Standing,
        bearer: &Arc<Bearer>,
        found: &Found,
    ) -> Result<Grant, Arc<AuthError>> {
        let realm = bearer.realm.as_ref().map_err(|refused| Arc::new(AuthError::Realm(refused.clone())))?.url();
        let group = TokenGroup {
            upstream: ask.upstream.id,
            credential: found.id,
            realm: format!("{}{}", realm.origin, realm.target()).into(),
            service: bearer.service.clone(),
        };
        let asked = standing.corrections.of(ask);
        let fetch = {
            let (upstream, bearer, scopes) = (Arc::downgrade(&ask.upstream), bearer.clone(), asked.clone());
            let (found, metrics, clock) = (found.clone(), self.metrics.clone(), self.clock);
            move || {
                let (upstream, bearer, scopes) = (upstream.clone(), bearer.clone(), scopes.clone());
                let (found, metrics) = (found.clone(), metrics.clone());
                async move {
                    // A renewal must not outlive what it was judged by: who may see the login is the upstream's to say.
                    let upstream = upstream.upgrade().ok_or(AuthError::Abandoned)?;
                    let outcome = exchange(&upstream, &bearer, &scopes, &found, clock).await;
                    let word = match &outcome {
                        Ok(_) => "granted",
                        Err(error) if error.is_refusal() => "refused",
                        Err(_) => "failed",
                    };
                    metrics.token_fetch(&upstream.label, word);
                    outcome
                }
            }
        };
        let obtained = self.tokens.get_or_fetch_lasting(&group, &asked, ask.lasting, fetch).await?;
        obtained.lease.value.note_use();
        self.metrics.token_used(&ask.upstream.label, if obtained.fresh { "fetched" } else { "cached" });
        if ask.access != Access::Pull
            && let Some(granted) = obtained.lease.value.granted.as_ref().filter(|granted| !granted.covers(&asked))
        {
            // What was asked together with a source may be had without it: there this token must not be found, unless
            // it is good for that.
            let is_good_alone = asked.resources().any(|(resource, actions)| {
                actions.iter().any(Action::writes)
                    && granted.covers(&ScopeSet::of(resource.clone(), actions.iter().cloned()))
            });
            if asked.resources().count() > 1 && !is_good_alone {
                self.tokens.reject(&group, &obtained.lease);
            }
            return Err(Arc::new(AuthError::NotGranted {
                realm: realm.clone(),
                asked,
                granted: granted.clone(),
                source_name: found.source.clone(),
            }));
        }
        let how = How::Token { lease: obtained.lease, group, asked, fresh: obtained.fresh };
        Ok(Grant { how, found: found.clone(), fell_back_from: None })
    }
}
