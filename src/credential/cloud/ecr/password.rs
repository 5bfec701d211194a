//! Requests a registry password: `GetAuthorizationToken` in the API references of ECR and ECR Public.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqsign_aws_core::Credential as AccessKey;
use serde_json::Value;

use super::super::failure::{Failure, Step};
use super::endpoint::{EcrEndpoint, Kind};
use super::reqsign_context::ReqsignContext;
use super::signed_request::{SignedRequest, SignedResponse};
use crate::base::secret::Secret;
use crate::credential::Credential;

/// The password for the endpoint's registries, and its lifetime.
pub(super) async fn fetch(
    reqsign: &ReqsignContext,
    endpoint: &EcrEndpoint,
    key: &AccessKey,
) -> Result<(Credential, Duration), Failure> {
    let (variable_suffix, target) = match endpoint.kind {
        Kind::Private => ("ECR", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
        Kind::Public => ("ECR_PUBLIC", "SpencerFrontendService.GetAuthorizationToken"),
    };
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
        (HeaderName::from_static("x-amz-target"), HeaderValue::from_static(target)),
    ]);
    let request = SignedRequest {
        step: &REQUESTING_PASSWORD,
        variable_suffix,
        host: endpoint.api_host(),
        region: &endpoint.region,
        service: endpoint.service_name(),
        headers,
        body: "{}".to_owned(),
    };
    let response = request.send(reqsign, key).await?;
    let Some((token, end)) = parse(&response.body) else {
        return Err(response.malformed("the response contains no authorizationToken with an expiresAt"));
    };
    let lifetime = response.time_until(end);
    if lifetime.is_zero() {
        return Err(response.malformed("the password in the response has already expired"));
    }
    decode(&token, &response).map(|credential| (credential, lifetime))
}

/// Decodes an `authorizationToken`: the base64 of `user:password`.
fn decode(token: &str, response: &SignedResponse) -> Result<Credential, Failure> {
    let pair = STANDARD.decode(token).ok().and_then(|pair| String::from_utf8(pair).ok()).map(Secret::new);
    let pair = pair.as_ref().and_then(|pair| pair.expose().split_once(':'));
    match pair.filter(|(user, password)| !user.is_empty() && !password.is_empty()) {
        Some((user, password)) => Ok(Credential::Password { username: user.into(), password: Secret::new(password) }),
        None => Err(response.malformed("its authorizationToken is not a user name and a password")),
    }
}

/// The `authorizationToken` and when it expires, as the time since 1970. ECR wraps both in a list of one element, ECR
/// Public does not.
fn parse(body: &[u8]) -> Option<(String, Duration)> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let data = document.get("authorizationData")?;
    let data = data.get(0).unwrap_or(data);
    let end = Duration::try_from_secs_f64(data.get("expiresAt")?.as_f64()?).ok()?;
    Some((data.get("authorizationToken")?.as_str()?.to_owned(), end))
}

static REQUESTING_PASSWORD: Step = Step::new(
    "requesting the registry's password (GetAuthorizationToken)",
    "the access key must be allowed ecr:GetAuthorizationToken on *, for ECR Public also ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_from_a_list_or_an_object() {
        let token = |end| Some(("QVdTOng=".to_owned(), Duration::from_secs_f64(end)));
        for (body, expected) in [
            (
                r#"{"authorizationData":[{"authorizationToken":"QVdTOng=","expiresAt":1.7E9,"proxyEndpoint":"https://a"}]}"#,
                token(1.7e9),
            ),
            (
                r#"{"authorizationData":{"authorizationToken":"QVdTOng=","expiresAt":1700000000.5}}"#,
                token(1_700_000_000.5),
            ),
            (r#"{"authorizationData":[]}"#, None),
            (r#"{"authorizationData":[{"authorizationToken":"QVdTOng="}]}"#, None),
            (r#"{"authorizationData":[{"authorizationToken":"QVdTOng=","expiresAt":-1}]}"#, None),
            (r#"{"authorizationData":[{"authorizationToken":"QVdTOng=","expiresAt":1e300}]}"#, None),
            (r#"{"authorizationData":[{"authorizationToken":5,"expiresAt":1}]}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(parse(body.as_bytes()), expected, "{body}");
        }
    }
}
