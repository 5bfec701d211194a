//! `GetAuthorizationToken` of ECR and of ECR Public (their API references).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqsign_aws_core::Credential as Key;
use serde_json::Value;

use super::super::failure::{Failure, Step};
use super::outside::Outside;
use super::place::{Kind, Place};
use super::signed::{Answer, Question};
use crate::base::secret::Secret;
use crate::credential::Credential;

/// The password of the place's registries, and how long it is good.
pub(super) async fn ask(outside: &Outside, place: &Place, key: &Key) -> Result<(Credential, Duration), Failure> {
    let (variable, target) = match place.kind {
        Kind::Private => ("ECR", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
        Kind::Public => ("ECR_PUBLIC", "SpencerFrontendService.GetAuthorizationToken"),
    };
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
        (HeaderName::from_static("x-amz-target"), HeaderValue::from_static(target)),
    ]);
    let question = Question {
        step: &STEP,
        variable,
        host: place.api(),
        region: &place.region,
        service: place.service(),
        headers,
        body: "{}".to_owned(),
    };
    let answer = question.ask(outside, key).await?;
    let Some((login, end)) = parse(&answer.body) else {
        return Err(answer.malformed("its answer holds no authorizationToken with an expiresAt"));
    };
    let lifetime = answer.until(end);
    if lifetime.is_zero() {
        return Err(answer.malformed("the password it gave is over already"));
    }
    login_of(&login, &answer).map(|credential| (credential, lifetime))
}

fn login_of(login: &str, answer: &Answer) -> Result<Credential, Failure> {
    let pair = STANDARD.decode(login).ok().and_then(|pair| String::from_utf8(pair).ok()).map(Secret::new);
    let pair = pair.as_ref().and_then(|pair| pair.expose().split_once(':'));
    match pair.filter(|(user, password)| !user.is_empty() && !password.is_empty()) {
        Some((user, password)) => Ok(Credential::Password { username: user.into(), password: Secret::new(password) }),
        None => Err(answer.malformed("its authorizationToken is not a user name and a password")),
    }
}

/// The login and its end, since 1970: in a list of one, or for ECR Public by itself.
fn parse(body: &[u8]) -> Option<(String, Duration)> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let data = document.get("authorizationData")?;
    let data = data.get(0).unwrap_or(data);
    let end = Duration::try_from_secs_f64(data.get("expiresAt")?.as_f64()?).ok()?;
    Some((data.get("authorizationToken")?.as_str()?.to_owned(), end))
}

static STEP: Step = Step {
    doing: "asking for the registry's password (GetAuthorizationToken)",
    hint: "the key must be allowed ecr:GetAuthorizationToken on *, for ECR Public also ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_come_in_a_list_or_alone() {
        let seconds = |end| Some(("QVdTOng=".to_owned(), Duration::from_secs_f64(end)));
        for (body, expected) in [
            (
                r#"{"authorizationData":[{"authorizationToken":"QVdTOng=","expiresAt":1.7E9,"proxyEndpoint":"https://a"}]}"#,
                seconds(1.7e9),
            ),
            (
                r#"{"authorizationData":{"authorizationToken":"QVdTOng=","expiresAt":1700000000.5}}"#,
                seconds(1_700_000_000.5),
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
