//! `GetAuthorizationToken` of ECR and of ECR Public, sections 5 and 6 of registries.md.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::super::call::Call;
use super::super::super::lock;
use super::super::super::reply::Reply;
use super::signature::verify;
use super::{Account, REGION};

pub(super) fn private(account: &Account, call: &Call, body: &[u8]) -> Reply {
    let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
    answer(account, call, body, (REGION, "ecr", target), |mut data| {
        data["proxyEndpoint"] = Value::from(format!("https://123456789012.dkr.ecr.{REGION}.amazonaws.com"));
        json!([data])
    })
}

/// The operation of ECR Public: its reply has an object instead of a list, and there is only one region.
pub(super) fn public(account: &Account, call: &Call, body: &[u8]) -> Reply {
    let target = "SpencerFrontendService.GetAuthorizationToken";
    answer(account, call, body, ("us-east-1", "ecr-public", target), |data| data)
}

fn answer(
    account: &Account,
    call: &Call,
    body: &[u8],
    (region, service, target): (&str, &str, &str),
    shape: impl Fn(Value) -> Value,
) -> Reply {
    let entry = &call.entry;
    let is_json = call.header("content-type") == Some("application/x-amz-json-1.1");
    let is_named = call.header("x-amz-target") == Some(target);
    if entry.method != Method::POST || entry.path != "/" || !entry.query.is_empty() || !is_json || !is_named {
        return error("UnknownOperationException", "");
    }
    let key = match verify(account, call, body, region, service) {
        Ok(key) => key,
        Err(error) => return error.json(),
    };
    if serde_json::from_slice::<Value>(body).ok() != Some(json!({})) {
        return error("SerializationException", "");
    }
    if !key.may_get_password {
        let action = format!("{service}:GetAuthorizationToken");
        let user = "arn:aws:iam::123456789012:user/weak";
        let message = format!(
            "User: {user} is not authorized to perform: {action} on resource: * because no identity-based policy allows the {action} action"
        );
        return error("AccessDeniedException", &message);
    }
    let number = account.keys.secrets().len();
    let password = format!("eyJwYXlsb2FkIjoi{number:064}");
    account.keys.note_secret(&password);
    let lifetime = *lock(&account.password_lifetime);
    for registry in lock(&account.registries).iter() {
        registry.users().add_temporary("AWS", &password, Instant::now() + lifetime);
    }
    let data = json!({
        "authorizationToken": BASE64_STANDARD.encode(format!("AWS:{password}")),
        "expiresAt": (account.clock.since_1970() + lifetime).as_secs_f64(),
    });
    document(200, &json!({ "authorizationData": shape(data) }))
}

pub(super) fn error(code: &str, message: &str) -> Reply {
    let status = if code == "ServerException" { 500 } else { 400 };
    document(status, &json!({ "__type": code, "message": message }))
}

fn document(status: u16, document: &Value) -> Reply {
    Reply::new(status)
        .body("application/x-amz-json-1.1", document.to_string())
        .header("x-amzn-requestid", "5c3ef1a0-0000-4000-8000-0d7a6d5b4c3e")
}
