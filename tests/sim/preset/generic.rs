//! A registry for tests of single rules: everything about its authentication is the test's to say.

use std::sync::Arc;

use super::super::registry::{Denial, Policy, Why};
use super::super::reply::Reply;
use super::Preset;

/// How a registry shows that a token has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// 401 with the challenge, as specified.
    Challenge,
    /// 401 and no challenge at all (Google, Zot).
    BareUnauthorized,
    /// 403 DENIED "Your authorization token has expired…" (ECR).
    Denied403,
    /// 400 DENIED "Your Authorization Token is invalid." (ECR Public).
    Denied400,
    /// 401 with a challenge that names a realm nobody has heard of (NGC).
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

    /// These lines as `WWW-Authenticate`, one header line each, on every refusal. `{realm}`, `{service}` and `{scope}`
    /// stand for what a well-behaved challenge would say.
    #[must_use]
    pub fn challenges(mut self, lines: &[&str]) -> Self {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        self.gate.refuse = Arc::new(move |denial| {
            let reply = Reply::error_detail(401, "UNAUTHORIZED", "authentication required", "null");
            lines.iter().fold(reply, |reply, line| reply.line("www-authenticate", &filled(line, denial)))
        });
        self
    }

    /// How a stale token is refused; other refusals stay.
    #[must_use]
    pub fn expiry(mut self, expiry: Expiry) -> Self {
        self.can.expiry = Some(expiry);
        let usual = Arc::clone(&self.gate.refuse);
        self.gate.refuse = Arc::new(move |denial| match (denial.why, expiry) {
            (Why::StaleToken | Why::UnknownToken, Expiry::BareUnauthorized) => {
                Reply::error(401, "UNAUTHORIZED", "No valid credential was supplied.")
            }
            (Why::StaleToken | Why::UnknownToken, Expiry::Denied403) => {
                Reply::error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
            }
            (Why::StaleToken | Why::UnknownToken, Expiry::Denied400) => {
                Reply::error(400, "DENIED", "Your Authorization Token is invalid.")
            }
            (Why::StaleToken | Why::UnknownToken, Expiry::OtherRealm) => {
                let realm = format!("http://elsewhere.{}/token", denial.ask.registry.origins().registry_authority());
                let challenge = format!(r#"Bearer realm="{realm}",service="registry",error="invalid_token""#);
                Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", challenge)
            }
            (Why::StaleToken | Why::UnknownToken, Expiry::OtherScheme) => {
                let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
                reply.header("www-authenticate", r#"Basic realm="Registry""#)
            }
            _ => usual(denial),
        });
        self
    }
}

fn filled(line: &str, denial: &Denial<'_>) -> String {
    let scopes: Vec<String> = denial.needs.iter().map(ToString::to_string).collect();
    line.replace("{realm}", &denial.realm).replace("{service}", &denial.service).replace("{scope}", &scopes.join(" "))
}
