//! Tokens and passwords that expire early, during use, and the response with which each registry reports it.

use std::time::Duration;

use tokio::time::advance;

use super::outcome::{Outcome, Rejection};
use super::row::{Credential, Row, is_token_call, start};

use crate::clouds::ecr;
use crate::proxied_registry::assert_no_upstream_headers;
use crate::sim::{AuthKind, ExpiryReply, Preset};

/// The actual lifetime of a token, which is shorter than the registry says.
const ACTUAL_LIFETIME: Duration = Duration::from_secs(10);

pub async fn in_use(row: &Row) -> Outcome {
    match (row.preset.capabilities.expiry, row.preset.capabilities.auth_kind) {
        (None, _) => nothing_expires(row).await,
        (Some(expiry), AuthKind::Token) => {
            assert_replaced(row.profile, row.preset.clone(), expiry).await;
            Outcome::works(response_to_expired(expiry))
        }
        (Some(expiry), _) => {
            assert_password_replaced().await;
            Outcome::works(response_to_expired(expiry))
        }
    }
}

/// Nothing expires: two days later a pull still takes one request.
async fn nothing_expires(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    setup.warm().await;
    advance(Duration::from_secs(2 * 86_400)).await;
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    setup.take_requests().assert_one_request();
    Outcome::Unsupported(Rejection::NotApplicable)
}

/// Asserts that a pull with an expired token takes one rejection, one new token, and the request with the new token.
async fn assert_replaced(profile: &str, mut preset: Preset, expiry: ExpiryReply) {
    // The lifetime that the registry states stays the same.
    preset.tokens.jwt_lifetime = preset.tokens.jwt_lifetime.or(Some(preset.tokens.lifetime));
    preset.tokens.lifetime = ACTUAL_LIFETIME;
    for rest in ["manifests/1", "blob"] {
        let setup = Box::pin(start(profile, preset.clone(), Credential::Valid)).await;
        let rest = if rest == "blob" { format!("blobs/{}", setup.image.blobs[0].digest) } else { rest.to_owned() };
        setup.warm().await;
        advance(ACTUAL_LIFETIME + Duration::from_secs(1)).await;
        let reply = setup.get(&setup.private_path(&rest)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_no_upstream_headers(&reply);
        let requests = setup.take_requests();
        let status = |number: usize| requests.0[number].status.map_or(0, |status| status.as_u16());
        assert_eq!(status(0), rejection_status(expiry), "{requests:?}");
        assert!(is_token_call(&requests.0[1]) && status(1) == 200, "{requests:?}");
        assert_eq!(requests.0[2].path, requests.0[0].path, "{requests:?}");
        assert_eq!(
            (requests.token_calls(), requests.count()),
            (1, 3 + requests.redirects()),
            "one token and one replay: {requests:?}"
        );
    }
}

/// Asserts that regpass replaces a password that AWS issued for 12 h and revokes earlier.
async fn assert_password_replaced() {
    let setup = Box::pin(ecr::EcrSetup::new()).await;
    let regpass = setup.start("", &ecr::ENVIRONMENT);
    assert_eq!(regpass.get(ecr::APP).await.status, 200);
    setup.sim.ledger().take();
    setup.registry.users().revoke_temporary();
    let reply = regpass.get(ecr::APP).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_no_upstream_headers(&reply);
    setup.sim.ledger().expect(&[
        "registry GET /v2/team/app/manifests/1 basic:AWS 403",
        "ecr-api POST / other 200",
        "registry GET /v2/team/app/manifests/1 basic:AWS 200",
    ]);
    setup.sim.finish();
}

fn rejection_status(expiry: ExpiryReply) -> u16 {
    match expiry {
        ExpiryReply::Denied403 => 403,
        ExpiryReply::Denied400 => 400,
        ExpiryReply::Challenge | ExpiryReply::BareUnauthorized | ExpiryReply::OtherRealm | ExpiryReply::OtherScheme => {
            401
        }
    }
}

fn response_to_expired(expiry: ExpiryReply) -> &'static str {
    match expiry {
        ExpiryReply::Challenge => "401",
        ExpiryReply::BareUnauthorized => "401, bare",
        ExpiryReply::Denied403 => "403",
        ExpiryReply::Denied400 => "400",
        ExpiryReply::OtherRealm => "401, other realm",
        ExpiryReply::OtherScheme => "401, Basic",
    }
}

/// The simulated generic registry with every form of response to an expired token. 400 and 403 mean one only with the
/// profiles of ECR.
#[tokio::test(start_paused = true)]
async fn every_response_to_an_expired_token_takes_one_token_and_one_replay() {
    for (profile, expiry) in [
        ("generic", ExpiryReply::Challenge),
        ("generic", ExpiryReply::BareUnauthorized),
        ("generic", ExpiryReply::OtherRealm),
        ("generic", ExpiryReply::OtherScheme),
        ("acr", ExpiryReply::OtherScheme),
        ("ecr", ExpiryReply::Denied403),
        ("ecr-public", ExpiryReply::Denied400),
    ] {
        assert_replaced(profile, Preset::generic().expiry_reply(expiry), expiry).await;
    }
}
