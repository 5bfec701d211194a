//! Requests to a token service, which issues a token for a credential.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use super::error::AuthError;
use super::grant::{Token, basic_header, bearer_header};
use super::realm::RealmRejected;
use super::scheme::Bearer;
use super::token_parameters::{refresh_form, token_query};
use crate::base::clock::WallClock;
use crate::base::lease::Lease;
use crate::base::origin::Url;
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::credential::{Credential, ResolvedCredential};
use crate::net::body::read_limited;
use crate::net::spool::Payload;
use crate::net::{request, retry_after};
use crate::oci::error::{ErrorEntry, one_line, readable_message};
use crate::oci::scope::ScopeSet;
use crate::oci::token::{InvalidTokenResponse, TokenResponse, UnverifiedClaims};
use crate::upstream::Upstream;

/// Fetches a token for `scopes` with the credential `resolved`.
///
/// Anonymous and password requests use GET (distribution's token authentication specification). An identity token is
/// sent by POST as a refresh token (distribution's page on `OAuth2`), and by GET where POST is answered with 400, 401,
/// 404 or 405, as ACR, Artifactory, Google, Harbor and Gitea do. Redirects are not followed, because the credential may
/// only go where [`check_realm`](super::realm::check_realm) allowed it.
pub async fn fetch_token(
    upstream: &Upstream,
    bearer: &Bearer,
    scopes: &ScopeSet,
    resolved: &ResolvedCredential,
    clock: WallClock,
) -> Result<Lease<Token>, AuthError> {
    let trusted = bearer.realm.clone()?;
    let realm = trusted.url();
    if resolved.credential != Credential::Anonymous && !trusted.sees_credentials() {
        let host = realm.origin.authority();
        return Err(AuthError::UntrustedRealm { realm: realm.clone(), host });
    }
    let request = TokenRequest { upstream, realm, service: bearer.service.as_deref(), scopes, resolved, clock };
    let limit = upstream.timeouts.token;
    let fetched = match &resolved.credential {
        Credential::Identity { token, .. } if !bearer.is_get_only.load(Ordering::Relaxed) => {
            timeout(limit, request.by_post_or_get(token, bearer)).await
        }
        _ => timeout(limit, request.by_get()).await,
    };
    fetched.unwrap_or_else(|_| Err(AuthError::TokenTimeout { realm: realm.clone(), limit }))
}

struct TokenRequest<'a> {
    upstream: &'a Upstream,
    realm: &'a Url,
    service: Option<&'a str>,
    scopes: &'a ScopeSet,
    resolved: &'a ResolvedCredential,
    clock: WallClock,
}

impl TokenRequest<'_> {
    /// Tries POST, then GET. Remembers in `bearer` if only GET works.
    async fn by_post_or_get(&self, token: &Secret, bearer: &Bearer) -> Result<Lease<Token>, AuthError> {
        let refused = match self.by_post(token).await {
            Err(error) if suggests_get(&error) => error,
            outcome => return outcome,
        };
        match self.by_get().await {
            // A successful GET shows that the credential is good and that only POST is unsupported.
            Ok(lease) => {
                bearer.is_get_only.store(true, Ordering::Relaxed);
                Ok(lease)
            }
            // If both are refused, the refusal of the POST is returned: it is about the credential in its proper form.
            // Otherwise the error of the GET, because a service without POST says nothing about the credential.
            Err(error) if refused.is_refusal() && error.is_refusal() => Err(refused),
            Err(error) => Err(error),
        }
    }

    async fn by_get(&self) -> Result<Lease<Token>, AuthError> {
        let url = Url { query: Some(token_query(self.realm, self.service, self.scopes).into()), ..self.realm.clone() };
        let mut headers = HeaderMap::new();
        headers.extend(basic_header(&self.resolved.credential).map(|basic| (AUTHORIZATION, basic)));
        self.send(&url, Method::GET, headers, Bytes::new()).await
    }

    async fn by_post(&self, token: &Secret) -> Result<Lease<Token>, AuthError> {
        let form = Secret::new(refresh_form(self.service, self.scopes, token));
        let body = Bytes::copy_from_slice(form.expose().as_bytes());
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.send(self.realm, Method::POST, HeaderMap::from_iter([(CONTENT_TYPE, form_type)]), body).await
    }

    /// Sends the request. While the service is busy, repeats it up to twice, within half of the token timeout.
    async fn send(
        &self,
        url: &Url,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Lease<Token>, AuthError> {
        let request = request::to(url, method, headers, body).map_err(RealmRejected::BadUrl)?;
        let max_duration = self.upstream.timeouts.token / 2;
        let begun = Instant::now();
        for tries in 0.. {
            let outcome = self.send_once(&request, url).await;
            let Err(AuthError::TokenBusy { retry_after, .. }) = &outcome else { return outcome };
            let wait = retry_after::wait(*retry_after, tries);
            if tries == MAX_RETRIES || begun.elapsed() + wait > max_duration {
                return outcome;
            }
            sleep(wait).await;
        }
        unreachable!("the last retry returns")
    }

    async fn send_once(&self, request: &http::Request<Payload>, url: &Url) -> Result<Lease<Token>, AuthError> {
        let realm = || self.realm.clone();
        let client = self.upstream.client(&url.origin).map_err(|error| AuthError::Tls(error.to_string()))?;
        // The lifetime counts from before the request, so that a slow answer makes the token expire early, not late.
        let begun = Instant::now();
        let response = client.send(request).await.map_err(|why| AuthError::TokenTransport { realm: realm(), why })?;
        self.upstream.token_services.record(&url.origin);
        let (head, body) = response.into_parts();
        let body = read_limited(body, MAX_RESPONSE_BYTES, self.upstream.timeouts.body_idle)
            .await
            .map_err(|error| AuthError::TokenBody { realm: realm(), why: error.to_string() })?;
        if head.status != StatusCode::OK {
            return Err(self.error_of(head.status, &head.headers, &body));
        }
        let invalid = |why| AuthError::TokenResponse { realm: realm(), why };
        let response = TokenResponse::parse(&body).map_err(invalid)?;
        let claims = UnverifiedClaims::decode(&response.token);
        let lifetimes = [response.expires_in, claims.lifetime(self.clock.unix_time())];
        let lifetime = lifetimes.into_iter().flatten().min();
        let lifetime = lifetime.unwrap_or(self.upstream.profile().default_token_lifetime);
        let header = bearer_header(&response.token).ok_or_else(|| invalid(InvalidTokenResponse::Characters))?;
        Ok(Lease::new(Token::new(header, claims.access, self.resolved.identity()), begun, lifetime))
    }

    fn error_of(&self, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> AuthError {
        let realm = self.realm.clone();
        let message = message_of(body, &self.resolved.credential);
        match status {
            StatusCode::NOT_FOUND if self.upstream.profile().token_404_is_unknown_namespace => {
                AuthError::UnknownNamespace { realm, message }
            }
            status if retry_after::is_busy(status) => {
                let retry_after = retry_after::parse(headers, self.clock).or_else(|| retry_after::in_body(body));
                AuthError::TokenBusy { realm, status, message, retry_after }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                AuthError::TokenStatus { realm, status, message }
            }
            status if status.is_client_error() => AuthError::TokenRefused {
                realm,
                status,
                message,
                source_name: self.resolved.source.clone(),
                advice: self.advice(status, headers),
            },
            _ => AuthError::TokenStatus { realm, status, message },
        }
    }

    /// What to do about a 401. Its challenge, if there is one (Quay's token service since 2026), says only that the
    /// service wants a credential, or another one: regpass has sent the one that it has, so it sends nothing more.
    fn advice(&self, status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
        match status {
            StatusCode::UNAUTHORIZED if !self.resolved.is_anonymous() => {
                Some("it does not accept this credential: correct or replace it")
            }
            StatusCode::UNAUTHORIZED if headers.contains_key(WWW_AUTHENTICATE) => {
                Some("it issues tokens only for a credential: configure `credential`")
            }
            _ => None,
        }
    }
}

/// Whether the token service may have refused a POST only because it supports nothing but GET.
fn suggests_get(error: &AuthError) -> bool {
    matches!(
        error,
        AuthError::TokenRefused { status, .. } | AuthError::TokenStatus { status, .. }
            if matches!(status.as_u16(), 400 | 401 | 404 | 405)
    )
}

/// The service's error message, unless it repeats the credential.
fn message_of(body: &Bytes, credential: &Credential) -> Option<String> {
    let redaction = redactions_for(credential);
    let is_clean = |text: &str| !redaction.leaks_in(text);
    // The body is checked for secrets before the message is shortened, and the message after its escapes are decoded.
    let body = Some(body).filter(|body| is_clean(&String::from_utf8_lossy(body)))?;
    let entries = ErrorEntry::parse_all(body);
    let message = entries.first().map(|entry| entry.message.clone()).or_else(|| readable_message(body))?;
    Some(message).filter(|message| is_clean(message)).map(|message| one_line(&message))
}

/// The secrets that a call of the token service carries, in its header or its form.
fn redactions_for(credential: &Credential) -> Redaction {
    let redaction = basic_header(credential).as_ref().map(Redaction::of_header).unwrap_or_default();
    match credential {
        Credential::Anonymous => redaction,
        Credential::Password { password: secret, .. }
        | Credential::Identity { token: secret, .. }
        | Credential::Bearer { token: secret } => redaction.with(Redaction::of_secret(secret)),
    }
}

/// Retries of one request while the token service answers 429 or 503.
const MAX_RETRIES: u32 = 2;
/// Tokens of large organisations reach tens of kilobytes; no legitimate response is larger than this.
const MAX_RESPONSE_BYTES: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_is_recognised_in_every_encoding() {
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("a \"b\"/ü") };
        for text in [
            r#"wrong password: a "b"/ü"#,
            r#"{"sent":"a \"b\"/ü"}"#,
            "?password=a+%22b%22%2F%C3%BC",
            "?password=a%20%22b%22%2F%C3%BC&x",
            "Authorization: Basic YWxpY2U6YSAiYiIvw7w=",
        ] {
            assert!(redactions_for(&credential).leaks_in(text), "{text}");
            let header = basic_header(&credential).unwrap();
            assert!(Redaction::of_header(&header).leaks_in(text), "{text}");
        }
        assert!(!redactions_for(&credential).leaks_in("alice may not do this"));
        assert!(!redactions_for(&Credential::Anonymous).leaks_in("anything"));
    }

    #[test]
    fn short_password_counts_only_as_a_whole_word() {
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("test") };
        assert!(redactions_for(&credential).leaks_in("the password 'test' is wrong"));
        assert!(!redactions_for(&credential).leaks_in("the tag latest is not known, said the tester"));
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("wonderland") };
        assert!(redactions_for(&credential).leaks_in("?q=%22wonderland%22"));
    }
}
