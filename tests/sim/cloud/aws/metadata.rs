//! The endpoints from which a machine, a task or a pod gets the key of its role.

use http::Method;
use serde_json::json;

use super::super::super::call::Call;
use super::super::super::reply::Reply;
use super::signature::HOUR;
use super::{Account, Aws};

/// The session token of `IMDSv2`. It must not be logged, although it is of no use outside the machine.
const TOKEN: &str = "AQAEAMetadataToken-0000000000000000000000000000000000000==";

/// `IMDSv2` without version 1: a session token by PUT, then the name of the role, then its key.
pub(super) fn instance(account: &Account, call: &Call, _body: &[u8]) -> Reply {
    let folder = "/latest/meta-data/iam/security-credentials/";
    let path = &*call.entry.path;
    if call.entry.headers.contains_key("x-forwarded-for") {
        return Reply::new(403).text("");
    }
    if path == "/latest/api/token" {
        let ttl = call.header("x-aws-ec2-metadata-token-ttl-seconds").and_then(|ttl| ttl.parse().ok());
        return match (&call.entry.method, ttl) {
            (&Method::PUT, Some(1..=21_600)) => Reply::new(200).body("text/plain", TOKEN),
            (&Method::PUT, _) => Reply::new(400).text(""),
            _ => Reply::new(405).text(""),
        };
    }
    if call.header("x-aws-ec2-metadata-token") != Some(TOKEN) {
        return Reply::new(401).text("");
    }
    match path.strip_prefix(folder) {
        _ if call.entry.method != Method::GET => Reply::new(405).text(""),
        Some("") => Reply::new(200).body("text/plain", "puller"),
        Some("puller") => {
            let session = account.keys.session(account.clock, 6 * HOUR);
            let document = json!({
                "Code": "Success",
                "LastUpdated": session.expiration,
                "Type": "AWS-HMAC",
                "AccessKeyId": session.id,
                "SecretAccessKey": session.key.secret,
                "Token": session.key.token,
                "Expiration": session.expiration,
            });
            Reply::new(200).body("text/plain", document.to_string())
        }
        _ => Reply::new(404).text(""),
    }
}

/// ECS: a task gets its key at a secret path, without further authentication.
pub(super) fn task(account: &Account, call: &Call, _body: &[u8]) -> Reply {
    if call.entry.method == Method::GET && call.entry.path == Aws::TASK_PATH {
        role_key_reply(account)
    } else {
        Reply::new(404).text("")
    }
}

/// EKS Pod Identity: the `Authorization` header is the pod's token.
pub(super) fn pod(account: &Account, call: &Call, _body: &[u8]) -> Reply {
    if call.entry.method != Method::GET || call.entry.path != "/v1/credentials" {
        return Reply::new(404).text("");
    }
    if call.header("authorization") == Some(Aws::POD_TOKEN) {
        role_key_reply(account)
    } else {
        Reply::new(401).text("Service account token cannot be empty or is not valid")
    }
}

/// IAM Identity Center, which issues the key of a role for the session of a user (`GetRoleCredentials`).
pub(super) fn portal(account: &Account, call: &Call, _body: &[u8]) -> Reply {
    let value = |name: &str| call.entry.query_value(name).unwrap_or_default();
    let is_right = value("role_name") == "puller" && value("account_id") == "123456789012";
    if call.entry.method != Method::GET || call.entry.path != "/federation/credentials" || !is_right {
        return Reply::new(404).json(json!({ "__type": "ResourceNotFoundException", "message": "No access" }));
    }
    if call.header("x-amz-sso_bearer_token") != Some(Aws::SSO_TOKEN) {
        let message = "Session token not found or invalid";
        return Reply::new(401).json(json!({ "__type": "UnauthorizedException", "message": message }));
    }
    let session = account.keys.session(account.clock, HOUR);
    let expires = session.key.expires.unwrap_or_default().as_millis();
    let role = json!({
        "accessKeyId": session.id,
        "secretAccessKey": session.key.secret,
        "sessionToken": session.key.token,
        "expiration": u64::try_from(expires).unwrap_or_default(),
    });
    Reply::new(200).json(json!({ "roleCredentials": role }))
}

fn role_key_reply(account: &Account) -> Reply {
    let session = account.keys.session(account.clock, 6 * HOUR);
    let document = json!({
        "RoleArn": Aws::ROLE,
        "AccessKeyId": session.id,
        "SecretAccessKey": session.key.secret,
        "Token": session.key.token,
        "Expiration": session.expiration,
    });
    Reply::new(200).json(document)
}
