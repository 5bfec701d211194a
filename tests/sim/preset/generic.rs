//! A registry for tests of single rules, whose challenges and replies to expired tokens the test can choose.

use std::sync::Arc;

use super::super::registry::{Denial, DenialReason, Policy};
use super::super::reply::Reply;
use super::Preset;

/// How a registry replies to an expired token or password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryReply {
    /// 401 with the challenge, as specified.
    Challenge,
    /// 401 and no challenge at all (Google, Zot).
    BareUnauthorized,
    /// 403 DENIED "Your authorization token has expired…" (ECR).
    Denied403,
    /// 400 DENIED "Your Authorization Token is invalid." (ECR Public).
    Denied400,
    /// 401 with a challenge that names another realm (NGC).
    OtherRealm,
    /// 401 with a challenge of another scheme (Harbor).
    OtherScheme,
}

impl Preset {
    pub fn generic() -> Self {
        let mut preset = Self::plain("generic.test");
        preset.policy = Policy::Users;
        preset
    }

    /// Sends these lines as `WWW-Authenticate`, one header each, with every denial. `{realm}`, `{service}` and `{scope}` are
    /// replaced by the values of a regular challenge.
    #[must_use]
    pub fn challenges(mut self, lines: &[&str]) -> Self {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        self.access.reject = Arc::new(move |denial| {
            let reply = Reply::error_detail(401, "UNAUTHORIZED", "authentication required", "null");
            lines.iter().fold(reply, |reply, line| reply.append_header("www-authenticate", &fill(line, denial)))
        });
        self
    }

    /// Chooses the reply to an expired or unknown token; other denials keep their reply.
    #[must_use]
    pub fn expiry_reply(mut self, expiry: ExpiryReply) -> Self {
        self.capabilities.expiry = Some(expiry);
        let usual = Arc::clone(&self.access.reject);
        self.access.reject = Arc::new(move |denial| match (denial.reason, expiry) {
            (DenialReason::ExpiredToken | DenialReason::UnknownToken, ExpiryReply::BareUnauthorized) => {
                Reply::error(401, "UNAUTHORIZED", "No valid credential was supplied.")
            }
            (DenialReason::ExpiredToken | DenialReason::UnknownToken, ExpiryReply::Denied403) => {
                Reply::error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
            }
            (DenialReason::ExpiredToken | DenialReason::UnknownToken, ExpiryReply::Denied400) => {
                Reply::error(400, "DENIED", "Your Authorization Token is invalid.")
            }
            (DenialReason::ExpiredToken | DenialReason::UnknownToken, ExpiryReply::OtherRealm) => {
                let realm =
                    format!("http://elsewhere.{}/token", denial.request.registry.origins().registry_authority());
                let challenge = format!(r#"Bearer realm="{realm}",service="registry",error="invalid_token""#);
                Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", challenge)
            }
            (DenialReason::ExpiredToken | DenialReason::UnknownToken, ExpiryReply::OtherScheme) => {
                let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
                reply.header("www-authenticate", r#"Basic realm="Registry""#)
            }
            _ => usual(denial),
        });
        self
    }
}

fn fill(line: &str, denial: &Denial<'_>) -> String {
    let scopes: Vec<String> = denial.required.iter().map(ToString::to_string).collect();
    line.replace("{realm}", &denial.realm).replace("{service}", &denial.service).replace("{scope}", &scopes.join(" "))
}
