//! Token responses and the unverified claims of a token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::access_claim::AccessClaim;
use crate::base::secret::Secret;

/// A token response (distribution's token authentication specification, "Token Response Fields").
#[derive(Debug)]
pub struct TokenResponse {
    /// `token`, else `access_token`.
    pub token: Secret,
    /// `expires_in`, if present and valid. Fractions and numbers in strings are accepted; a negative number counts as
    /// 0.
    pub expires_in: Option<Duration>,
}

/// Why a token response is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokenResponse {
    #[error("the response is not a JSON object")]
    NotJson,
    #[error("the response has neither `token` nor `access_token`")]
    NoToken,
    #[error("the token contains characters that are not allowed in a header")]
    Characters,
}

impl TokenResponse {
    pub fn parse(body: &[u8]) -> Result<Self, InvalidTokenResponse> {
        let Ok(Value::Object(reply)) = serde_json::from_slice(body) else { return Err(InvalidTokenResponse::NotJson) };
        let text = |key| reply.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Secret::new);
        let token = text("token").or_else(|| text("access_token")).ok_or(InvalidTokenResponse::NoToken)?;
        if !token.expose().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidTokenResponse::Characters);
        }
        let expires_in = match reply.get("expires_in") {
            Some(Value::Number(seconds)) => seconds.as_f64(),
            Some(Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        Ok(Self { token, expires_in: expires_in.map(seconds) })
    }
}

/// Claims of a JWT whose signature is not verified. regpass uses them to plan renewals and to choose a token, never to
/// grant access.
#[derive(Debug, Default, PartialEq)]
pub struct UnverifiedClaims {
    /// `exp`, since 1970.
    expires_at: Option<Duration>,
    /// `iat`, since 1970.
    issued_at: Option<Duration>,
    /// `None` without an `access` claim.
    pub access: Option<AccessClaim>,
}

impl UnverifiedClaims {
    /// Decodes the claims of `token`; those of an opaque token are all missing.
    pub fn decode(token: &Secret) -> Self {
        let payload = token.expose().split('.').nth(1).filter(|_| token.expose().matches('.').count() == 2);
        let claims = payload
            .and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok())
            .and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        let Some(claims) = claims else { return Self::default() };
        let date = |key: &str| claims.get(key).and_then(Value::as_f64).map(seconds);
        let access = claims.get("access").and_then(Value::as_array).map(|entries| AccessClaim::parse(entries));
        Self { expires_at: date("exp"), issued_at: date("iat"), access }
    }

    /// `exp - iat`, or without `iat` the time from `now` (since 1970) to `exp`. `None` without `exp`.
    pub fn lifetime(&self, now: Duration) -> Option<Duration> {
        self.expires_at.map(|expires_at| expires_at.saturating_sub(self.issued_at.unwrap_or(now)))
    }
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
    fn first_token_that_is_not_empty_is_used() {
        for (body, token, expires) in [
            (r#"{"token":"a","access_token":"b","expires_in":300}"#, "a", Some(300)),
            (r#"{"token":"a","access_token":"","expires_in":1800}"#, "a", Some(1800)),
            (r#"{"token":"","access_token":"b"}"#, "b", None),
            (r#"{"access_token":"b","expires_in":"60"}"#, "b", Some(60)),
            (r#"{"token":"a","expires_in":-5}"#, "a", Some(0)),
            (r#"{"token":"a","expires_in":null}"#, "a", None),
        ] {
            let reply = TokenResponse::parse(body.as_bytes()).unwrap();
            assert_eq!((reply.token.expose(), reply.expires_in), (token, expires.map(Duration::from_secs)), "{body}");
        }
    }

    #[test]
    fn response_without_a_usable_token_is_rejected() {
        for (why, bodies) in [
            (InvalidTokenResponse::NotJson, &["", "<html>", "[]"][..]),
            (InvalidTokenResponse::NoToken, &["{}", r#"{"token":7}"#]),
            (InvalidTokenResponse::Characters, &[r#"{"token":"a\r\nX: y"}"#]),
        ] {
            for body in bodies {
                assert_eq!(TokenResponse::parse(body.as_bytes()).unwrap_err(), why, "{body}");
            }
        }
    }

    #[test]
    fn lifetime_is_computed_from_the_claims() {
        let now = Duration::from_secs(1_000);
        for (claims, lifetime) in [
            (r#"{"exp":1300,"iat":1000}"#, Some(300)),
            (r#"{"exp":1300,"iat":900}"#, Some(400)),
            (r#"{"exp":1300}"#, Some(300)),
            (r#"{"exp":900}"#, Some(0)),
            (r#"{"iat":900}"#, None),
            ("not json", None),
        ] {
            assert_eq!(
                UnverifiedClaims::decode(&jwt(claims)).lifetime(now),
                lifetime.map(Duration::from_secs),
                "{claims}"
            );
        }
        for opaque in ["djE6dG9kZHlzbQ==", "a.b", "a.b.c", "a.!.c", ""] {
            assert_eq!(UnverifiedClaims::decode(&Secret::new(opaque)), UnverifiedClaims::default(), "{opaque}");
        }
    }

    #[test]
    fn grants_come_from_the_access_claim() {
        let granted = |claims: &str| UnverifiedClaims::decode(&jwt(claims)).access.map(|access| access.to_string());
        let claims = r#"{"access":[{"type":"repository","name":"a","actions":["pull"]},{"type":"repository","name":"b","actions":[]}]}"#;
        assert_eq!(granted(claims).as_deref(), Some("repository:a:pull"));
        assert_eq!(granted(r#"{"access":[]}"#).as_deref(), Some("nothing"));
        for without in [r#"{"exp":1}"#, r#"{"access":null}"#, r#"{"access":{"a":["pull"]}}"#] {
            assert_eq!(granted(without), None, "{without}");
        }
    }
}
