//! The registry's own part: a token of the directory for a refresh token of the registry.

use std::time::Duration;

use super::{DirectoryToken, Place};
use crate::base::clock::WallClock;
use crate::base::origin::Url;
use crate::credential::Credential;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::Lent;
use crate::oci::token::Hints;

const EXCHANGING: Step = Step {
    doing: "exchanging the directory's token for the registry's",
    hint: "give the identity the role AcrPull on the registry; of a registry in another tenant, name it as 'tenant'",
};

/// Over the registry's own connections: what goes there is the registry's, and to no other host.
pub(super) async fn refresh_token(
    place: &Place,
    tenant: Option<&str>,
    directory: &DirectoryToken,
    clock: WallClock,
) -> Result<Lent, Failure> {
    let url = Url { origin: place.origin.clone(), path: "/oauth2/exchange".into(), query: None };
    let service = place.origin.authority();
    let mut form =
        vec![("grant_type", "access_token"), ("service", service.as_str()), ("access_token", directory.token.expose())];
    form.extend(tenant.map(|tenant| ("tenant", tenant)));
    let answer = Question::form(&EXCHANGING, &url, &form, &[&directory.token]).ask(&place.client).await?;
    let token = answer.token("refresh_token")?;
    let lifetime = Hints::of(&token).lifetime(clock.unix_time()).unwrap_or(UNTOLD);
    if lifetime.is_zero() {
        return Err(answer.malformed("its refresh token is over already; is this machine's clock right?"));
    }
    let credential = Credential::Identity { username: Some(NOBODY.into()), token };
    Ok(Lent { credential, lifetime, source: directory.source.clone() })
}

/// The user name beside a refresh token where it goes as a password.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";
/// A third of what refresh tokens last (kubernetes-sigs/cloud-provider-azure exchanges anew after it).
const UNTOLD: Duration = Duration::from_secs(3600);
