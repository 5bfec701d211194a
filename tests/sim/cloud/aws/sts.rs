//! STS: assumes roles with a key or with a token of another identity provider (AWS STS API reference).

use http::Method;

use super::super::super::call::Call;
use super::super::super::query;
use super::super::super::reply::Reply;
use super::keys::Session;
use super::signature::{HOUR, verify};
use super::{Account, Aws};

const VERSION: &str = "2011-06-15";

/// Records the form's `Action` in the ledger entry. The other parameters may be secret.
pub(super) fn note_action(call: &mut Call, body: &[u8]) {
    let form = String::from_utf8_lossy(body);
    if let Some(action) = query::value(&form, "Action") {
        call.amend(|entry| entry.query = format!("Action={action}"));
    }
}

pub(super) fn answer(account: &Account, call: &Call, body: &[u8]) -> Reply {
    let form = String::from_utf8_lossy(body);
    let value = |name: &str| query::value(&form, name).unwrap_or_default();
    let is_form = call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let is_ours = call.entry.method == Method::POST && call.entry.path == "/" && value("Version") == VERSION;
    if !is_form || !is_ours {
        return error(400, "InvalidAction", "Could not find operation for the version NO_VERSION_SPECIFIED");
    }
    let name = value("RoleSessionName");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_plain) {
        let message = "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint";
        return error(400, "ValidationError", message);
    }
    let action = value("Action");
    let is_permitted = match &*action {
        "AssumeRole" => match verify(account, call, body, super::REGION, "sts") {
            Ok(_) => value("RoleArn") == Aws::ROLE,
            Err(error) => return error.xml(),
        },
        "AssumeRoleWithWebIdentity" if value("WebIdentityToken") != Aws::WEB_IDENTITY => {
            let message = "No OpenIDConnect provider found in your account for https://oidc.test";
            return error(400, "InvalidIdentityToken", message);
        }
        "AssumeRoleWithWebIdentity" => value("RoleArn") == Aws::ROLE,
        _ => return error(400, "InvalidAction", "Could not find operation"),
    };
    if !is_permitted {
        return error(403, "AccessDenied", &format!("Not authorized to perform sts:{action}"));
    }
    granted(&action, &account.keys.session(account.clock, HOUR))
}

fn granted(action: &str, session: &Session) -> Reply {
    let Session { id, key, expiration } = session;
    let token = key.token.as_deref().unwrap_or_default();
    let xml = format!(
        r#"<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <{action}Result>
    <AssumedRoleUser>
      <AssumedRoleId>AROA123EXAMPLE123EXAMPLE:regpass</AssumedRoleId>
      <Arn>arn:aws:sts::123456789012:assumed-role/puller/regpass</Arn>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>{id}</AccessKeyId>
      <SecretAccessKey>{}</SecretAccessKey>
      <SessionToken>{token}</SessionToken>
      <Expiration>{expiration}</Expiration>
    </Credentials>
  </{action}Result>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</{action}Response>"#,
        key.secret
    );
    Reply::new(200).body("text/xml", xml)
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    let xml = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>
</ErrorResponse>"#
    );
    Reply::new(status).body("text/xml", xml)
}
