//! Exchanges a directory token for a refresh token at the registry.

use std::time::Duration;

use super::{DirectoryToken, RegistryEndpoint};
use crate::base::clock::WallClock;
use crate::base::origin::Url;
use crate::credential::Credential;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::IssuedCredential;
use crate::oci::token::UnverifiedClaims;

const EXCHANGING: Step = Step::new(
    "exchanging the Microsoft Entra ID token for the registry's refresh token",
    "give the identity the role AcrPull on the registry; if the registry is in another tenant, set `tenant`",
);

/// Exchanges the token at the registry's own origin, over the registry's own client, so that the registry's `ca` and
/// similar settings apply.
pub(super) async fn exchange(
    endpoint: &RegistryEndpoint,
    tenant: Option<&str>,
    directory: &DirectoryToken,
    clock: WallClock,
) -> Result<IssuedCredential, Failure> {
    let url = Url { origin: endpoint.origin.clone(), path: "/oauth2/exchange".into(), query: None };
    let service = endpoint.origin.authority();
    let mut form =
        vec![("grant_type", "access_token"), ("service", service.as_str()), ("access_token", directory.token.expose())];
    form.extend(tenant.map(|tenant| ("tenant", tenant)));
    let answer =
        EndpointRequest::form(&EXCHANGING, &url, &form, &[&directory.token]).send_through(&endpoint.client).await?;
    let token = answer.token("refresh_token")?;
    let lifetime = UnverifiedClaims::decode(&token).lifetime(clock.unix_time()).unwrap_or(DEFAULT_LIFETIME);
    if lifetime.is_zero() {
        return Err(answer.malformed("its refresh token has already expired; check this machine's clock"));
    }
    let credential = Credential::Identity { username: Some(USERNAME.into()), token };
    Ok(IssuedCredential { credential, lifetime, source: directory.source.clone() })
}

/// The user name to send when the refresh token is used as a password.
const USERNAME: &str = "00000000-0000-0000-0000-000000000000";
/// For a token without a readable expiry: a third of the usual lifetime, after which
/// kubernetes-sigs/cloud-provider-azure exchanges again.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);
