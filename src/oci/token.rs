//! The answer of a token service, and what a token says of itself.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::scope::{Action, Resource, ScopeSet};
use crate::base::secret::Secret;

/// A token reply (distribution's token authentication specification, "Token Response Fields").
#[derive(Debug)]
pub struct TokenReply {
    pub token: Secret,
    /// `expires_in`; fractions, texts and nonsense below zero are tolerated.
    pub expires_in: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    #[error("its answer is not a JSON object")]
    NotJson,
    #[error("its answer holds neither 'token' nor 'access_token'")]
    NoToken,
    #[error("its token has characters that no header may have")]
    Characters,
}

impl TokenReply {
    pub fn parse(body: &[u8]) -> Result<Self, BadReply> {
        let Ok(Value::Object(reply)) = serde_json::from_slice(body) else { return Err(BadReply::NotJson) };
        let text = |key| reply.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Secret::new);
        let token = text("token").or_else(|| text("access_token")).ok_or(BadReply::NoToken)?;
        if !token.expose().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadReply::Characters);
        }
        let expires_in = match reply.get("expires_in") {
            Some(Value::Number(seconds)) => seconds.as_f64(),
            Some(Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        Ok(Self { token, expires_in: expires_in.map(seconds) })
    }
}

/// The claims of a JWT, read without verification: hints for planning, never proof of anything.
#[derive(Debug, Default, PartialEq)]
pub struct Hints {
    expires: Option<Duration>,
    issued: Option<Duration>,
    /// What the token says it grants, when it says so.
    pub granted: Option<ScopeSet>,
}

impl Hints {
    /// Reads whatever `token` tells; an opaque token tells nothing.
    pub fn of(token: &Secret) -> Self {
        let payload = token.expose().split('.').nth(1).filter(|_| token.expose().matches('.').count() == 2);
        let claims = payload
            .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
            .and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        let Some(claims) = claims else { return Self::default() };
        let date = |key: &str| claims.get(key).and_then(Value::as_f64).map(seconds);
        let granted = claims.get("access").and_then(Value::as_array).map(|access| granted(access));
        Self { expires: date("exp"), issued: date("iat"), granted }
    }

    /// `exp - iat`, or without `iat` the time from `now` to `exp`.
    pub fn lifetime(&self, now: Duration) -> Option<Duration> {
        self.expires.map(|expires| expires.saturating_sub(self.issued.unwrap_or(now)))
    }
}

fn granted(access: &[Value]) -> ScopeSet {
    let mut set = ScopeSet::default();
    for entry in access {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let actions = entry.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let actions: Vec<_> = actions.iter().filter_map(Value::as_str).map(Action::parse).collect();
        if !actions.is_empty() {
            set.add(Resource { kind: text("type").into(), name: text("name").into() }, actions);
        }
    }
    set
}

fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number.clamp(0.0, 1e11)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str) -> Secret {
        Secret::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn the_first_token_that_is_there_counts() {
        for (body, token, expires) in [
            (r#"{"token":"a","access_token":"b","expires_in":300}"#, "a", Some(300)),
            (r#"{"token":"a","access_token":"","expires_in":1800}"#, "a", Some(1800)),
            (r#"{"token":"","access_token":"b"}"#, "b", None),
            (r#"{"access_token":"b","expires_in":"60"}"#, "b", Some(60)),
            (r#"{"token":"a","expires_in":-5}"#, "a", Some(0)),
            (r#"{"token":"a","expires_in":null}"#, "a", None),
        ] {
            let reply = TokenReply::parse(body.as_bytes()).unwrap();
            assert_eq!((reply.token.expose(), reply.expires_in), (token, expires.map(Duration::from_secs)), "{body}");
        }
    }

    #[test]
    fn useless_replies_say_what_is_missing() {
        for (body, why) in [
            ("", BadReply::NotJson),
            ("<html>", BadReply::NotJson),
            ("[]", BadReply::NotJson),
            ("{}", BadReply::NoToken),
            (r#"{"token":7}"#, BadReply::NoToken),
            (r#"{"token":"a\r\nX: y"}"#, BadReply::Characters),
        ] {
            assert_eq!(TokenReply::parse(body.as_bytes()).unwrap_err(), why, "{body}");
        }
    }

    #[test]
    fn claims_are_hints() {
        let now = Duration::from_secs(1_000);
        for (claims, lifetime) in [
            (r#"{"exp":1300,"iat":1000}"#, Some(300)),
            (r#"{"exp":1300,"iat":900}"#, Some(400)),
            (r#"{"exp":1300}"#, Some(300)),
            (r#"{"exp":900}"#, Some(0)),
            (r#"{"iat":900}"#, None),
            ("not json", None),
        ] {
            assert_eq!(Hints::of(&jwt(claims)).lifetime(now), lifetime.map(Duration::from_secs), "{claims}");
        }
        for opaque in ["djE6dG9kZHlzbQ==", "a.b", "a.b.c", "a.!.c", ""] {
            assert_eq!(Hints::of(&Secret::new(opaque)), Hints::default(), "{opaque}");
        }
    }

    #[test]
    fn the_access_claim_tells_the_grant() {
        let claims = r#"{"access":[{"type":"repository","name":"a","actions":["pull"]},{"type":"repository","name":"b","actions":[]}]}"#;
        assert_eq!(Hints::of(&jwt(claims)).granted, Some(ScopeSet::parse("repository:a:pull")));
        assert_eq!(Hints::of(&jwt(r#"{"access":[]}"#)).granted, Some(ScopeSet::default()));
        assert_eq!(Hints::of(&jwt(r#"{"exp":1}"#)).granted, None);
    }
}
