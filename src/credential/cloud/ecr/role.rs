//! A role taken on with a key (`AssumeRole` in the STS API reference).

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use reqsign_aws_core::Credential as Key;

use super::super::failure::{Failure, Step};
use super::outside::Outside;
use super::place::Place;
use super::signed::Question;
use super::told::element;

/// The role's own key. It lasts an hour, and signs one question.
pub(super) async fn assume(outside: &Outside, place: &Place, key: &Key, role: &str) -> Result<Key, Failure> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRole")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", role)
        .append_pair("RoleSessionName", SESSION)
        .finish();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let question = Question {
        step: &STEP,
        variable: "STS",
        host: place.sts(),
        region: &place.region,
        service: "sts",
        headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
        body: form,
    };
    let answer = question.ask(outside, key).await?;
    let text = String::from_utf8_lossy(&answer.body);
    let part = |name: &str| element(&text, name).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    match (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken")) {
        (Some(access_key_id), Some(secret_access_key), session_token @ Some(_)) => {
            Ok(Key { access_key_id, secret_access_key, session_token, expires_in: None })
        }
        _ => Err(answer.malformed("its answer holds no key")),
    }
}

/// The name under which the role's owner finds us in logs.
pub(super) const SESSION: &str = "regpass";

static STEP: Step = Step {
    doing: "assuming the role (AssumeRole)",
    hint: "see the trust policy of the role in 'role' of the registry's credential",
};
