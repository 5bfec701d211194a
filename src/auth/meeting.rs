//! From a known demand to the best grant there is: login, token, or neither.

use std::sync::Arc;

use http::StatusCode;
use tracing::warn;

use super::ask::{Ask, Matter};
use super::authorizer::Authorizer;
use super::demand::{Bearer, Demand, Standing};
use super::error::AuthError;
use super::grant::{self, Grant, How};
use super::memory::Login;
use super::scopes;
use crate::credential::{Credential, CredentialId, Found, Wanted};

impl Authorizer {
    /// The best grant for a known demand.
    pub(super) async fn meet(&self, ask: &Ask, standing: &Standing, demand: &Demand) -> Result<Grant, AuthError> {
        if let Demand::Open = demand {
            return Ok(Grant::nothing(None));
        }
        let found = self.credential(ask).await?;
        let login = self.not_denied(ask, found.id)?;
        let is_stale = ask.works_without_login() && self.stale.contains(&login, ask.matters());
        if is_stale {
            return self.anonymously(ask, standing, demand, found.source).await;
        }
        let goes_itself = ask.wants == scopes::Login::Itself || matches!(found.credential, Credential::Bearer { .. });
        let has_login = found.credential != Credential::Anonymous;
        let takes_it = |bearer: &&Arc<Bearer>| !(goes_itself || has_login && bearer.leaves_logins_to_basic());
        let Some(bearer) = demand.bearer().filter(takes_it) else {
            if !demand.leads_somewhere() {
                standing.pin(demand.clone());
            }
            return Ok(direct(found));
        };
        match self.token(ask, standing, bearer, &found).await {
            Err(error) if error.is_refusal() && found.credential != Credential::Anonymous => {
                self.refused_login(ask, standing, bearer, found, error).await
            }
            // Whoever takes the login itself, too, needs no token service that is out of reach or not to be trusted.
            Err(error)
                if bearer.or_basic
                    && !matches!(*error, AuthError::NotGranted { .. })
                    && grant::basic(&found.credential).is_some() =>
            {
                Ok(direct(found))
            }
            outcome => outcome.map_err(unshared),
        }
    }

    /// The token service refused a login: perhaps its source has a newer one, else reads go on without.
    async fn refused_login(
        &self,
        ask: &Ask,
        standing: &Standing,
        bearer: &Arc<Bearer>,
        found: Found,
        error: Arc<AuthError>,
    ) -> Result<Grant, AuthError> {
        let mut refused = (found, error);
        if let Some(newer) = self.newer_credential(ask, refused.0.id).await? {
            match self.token(ask, standing, bearer, &newer).await {
                Err(error) if error.is_refusal() => refused = (newer, error),
                outcome => return outcome.map_err(unshared),
            }
        }
        let (found, error) = refused;
        if !ask.works_without_login() {
            return Err(unshared(error));
        }
        let whole_login =
            matches!(&*error, AuthError::TokenRefused { status, .. } if *status == StatusCode::UNAUTHORIZED);
        let demand = Demand::Bearer(bearer.clone());
        let anonymous =
            self.anonymously(ask, standing, &demand, found.source.clone()).await.map_err(|_| unshared(error))?;
        self.mark_stale(ask, &found, (!whole_login).then(|| ask.matter()));
        Ok(anonymous)
    }

    /// The registry refused the credential itself.
    pub(super) async fn without_login(
        &self,
        ask: &Ask,
        standing: &Standing,
        grant: &Grant,
    ) -> Result<Option<Grant>, AuthError> {
        if let Some(newer) = self.newer_login(ask, grant).await? {
            return Ok(Some(newer));
        }
        let Some(demand) = standing.demand() else { return Ok(None) };
        if !ask.works_without_login() {
            return Ok(None);
        }
        // Only for what was asked: who answers 401 to a wrong password answers it to a good one at a closed door, too.
        self.mark_stale(ask, &grant.found, Some(ask.matter()));
        self.anonymously(ask, standing, &demand, grant.found.source.clone()).await.map(Some)
    }

    /// What the source of a login says now, when that differs from what was refused.
    pub(super) async fn newer_login(&self, ask: &Ask, refused: &Grant) -> Result<Option<Grant>, AuthError> {
        Ok(self.newer_credential(ask, refused.credential_id()).await?.map(direct))
    }

    /// As [`newer_login`](Self::newer_login), where nobody said that the login is over.
    pub(super) async fn newer_than_doubted(&self, ask: &Ask, doubted: &Grant) -> Result<Option<Grant>, AuthError> {
        let id = doubted.credential_id();
        ask.login.doubted(id);
        Ok(self.other_credential(ask, id).await?.map(direct))
    }

    async fn anonymously(
        &self,
        ask: &Ask,
        standing: &Standing,
        demand: &Demand,
        login_source: Box<str>,
    ) -> Result<Grant, AuthError> {
        let nobody = Found::anonymous();
        self.not_denied(ask, nobody.id)?;
        match demand {
            Demand::Bearer(bearer) => {
                let outcome = self.token(ask, standing, bearer, &nobody).await;
                let grant = outcome.map_err(|error| AuthError::WithoutLogin { error, login: login_source.clone() })?;
                Ok(Grant { fell_back_from: Some(login_source), ..grant })
            }
            Demand::Open | Demand::Basic => Ok(Grant::nothing(Some(login_source))),
        }
    }

    /// A token from where the demand says; when nobody is there, from where the registry sends us now.
    async fn token(
        &self,
        ask: &Ask,
        standing: &Standing,
        bearer: &Arc<Bearer>,
        found: &Found,
    ) -> Result<Grant, Arc<AuthError>> {
        match self.token_at(ask, standing, bearer, found).await {
            Err(error) if error.is_lost_realm() => match self.moved(ask, standing, bearer).await {
                Some(moved) => self.token_at(ask, standing, &moved, found).await,
                None => Err(error),
            },
            // A wrong login is wrong for every scope; anything else may be about a name that was guessed.
            Err(error) if error.is_about_scopes() && standing.corrections.doubt_neighbours(ask) => {
                self.token_at(ask, standing, bearer, found).await
            }
            outcome => outcome,
        }
    }

    pub(super) async fn credential(&self, ask: &Ask) -> Result<Found, AuthError> {
        let upstream = &ask.upstream;
        let wanted = Wanted {
            registry: &upstream.host,
            legacy_keys: upstream.profile().credential_keys,
            repository: ask.repository.as_ref(),
            profile: upstream.profile().name,
            origin: &upstream.origin,
            client: upstream.own_client().map_err(|error| AuthError::Tls(error.to_string()))?,
        };
        ask.login.fetch(&wanted).await.map_err(|error| AuthError::Credential { error })
    }

    /// What the credential's source says now, when that differs from what was refused.
    async fn newer_credential(&self, ask: &Ask, refused: CredentialId) -> Result<Option<Found>, AuthError> {
        ask.login.refused(refused);
        self.other_credential(ask, refused).await
    }

    async fn other_credential(&self, ask: &Ask, than: CredentialId) -> Result<Option<Found>, AuthError> {
        let found = self.credential(ask).await?;
        Ok((found.id != than && found.credential != Credential::Anonymous).then_some(found))
    }

    fn not_denied(&self, ask: &Ask, credential: CredentialId) -> Result<Login, AuthError> {
        let login = (ask.upstream.id, credential);
        match self.denials.reason(&login, ask.matters()) {
            Some(reason) => Err(AuthError::Remembered(reason)),
            None => Ok(login),
        }
    }

    fn mark_stale(&self, ask: &Ask, found: &Found, matter: Option<Matter>) {
        let login: Login = (ask.upstream.id, found.id);
        if self.stale.add(login, matter, &found.source) {
            let registry = ask.upstream.host.as_str();
            self.metrics.login_rejected(&ask.upstream.label);
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

/// An error leaves the cache shared; whoever reports it needs it as its own.
fn unshared(error: Arc<AuthError>) -> AuthError {
    Arc::try_unwrap(error).unwrap_or_else(AuthError::Shared)
}
