//! Credential to token: one call of a token service, or two where it wants the older form.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use super::demand::Bearer;
use super::echo::sent_with;
use super::error::AuthError;
use super::grant::{self, Token};
use super::realm::RealmRefused;
use crate::base::clock::WallClock;
use crate::base::lease::Lease;
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::{Credential, Found};
use crate::net::body::read_limited;
use crate::net::payload::Payload;
use crate::net::{busy, request};
use crate::oci::error::{ErrorEntry, one_line, readable};
use crate::oci::scope::ScopeSet;
use crate::oci::token::{Hints, TokenReply};
use crate::upstream::Upstream;

/// Fetches a token for `scopes` with `found`.
///
/// Anonymous and password logins go by GET (distribution's token authentication specification). An identity token
/// goes by POST as a refresh token (its page on `OAuth2`), and by GET where POST is answered with 400, 401, 404 or 405,
/// as ACR, Artifactory, Google, Harbor and Gitea do. Redirects are not followed: a credential goes where its realm
/// was judged to be, and nowhere else.
pub async fn exchange(
    upstream: &Upstream,
    bearer: &Bearer,
    scopes: &ScopeSet,
    found: &Found,
    clock: WallClock,
) -> Result<Lease<Token>, AuthError> {
    let trusted = bearer.realm.clone()?;
    let realm = trusted.url();
    if found.credential != Credential::Anonymous && !trusted.sees_credentials() {
        let host = realm.origin.authority();
        return Err(AuthError::RealmSeesNoCredentials { realm: realm.clone(), host });
    }
    let call = Call { upstream, realm, service: bearer.service.as_deref(), scopes, found, clock };
    let limit = upstream.timeouts.token;
    let whole = async {
        if let Credential::Identity { token, .. } = &found.credential
            && !bearer.wants_get.load(Ordering::Relaxed)
        {
            let refused = match call.by_post(token).await {
                Err(error) if asks_for_get(&error) => error,
                outcome => return outcome,
            };
            // Only a GET that works shows that the login is good and POST was the trouble. Of two refusals the first
            // one is about the login as it is; a service without POST has said nothing about it.
            let speaks = refused.is_refusal();
            let lease =
                call.by_get().await.map_err(|error| if speaks && error.is_refusal() { refused } else { error })?;
            bearer.wants_get.store(true, Ordering::Relaxed);
            return Ok(lease);
        }
        call.by_get().await
    };
    timeout(limit, whole).await.unwrap_or_else(|_| Err(AuthError::TokenTimeout { realm: realm.clone(), limit }))
}

struct Call<'a> {
    upstream: &'a Upstream,
    realm: &'a Url,
    service: Option<&'a str>,
    scopes: &'a ScopeSet,
    found: &'a Found,
    clock: WallClock,
}

impl Call<'_> {
    async fn by_get(&self) -> Result<Lease<Token>, AuthError> {
        let url = Url { query: Some(token_query(self.realm, self.service, self.scopes).into()), ..self.realm.clone() };
        let mut headers = HeaderMap::new();
        headers.extend(grant::basic(&self.found.credential).map(|basic| (AUTHORIZATION, basic)));
        self.send(&url, Method::GET, headers, Bytes::new()).await
    }

    async fn by_post(&self, token: &Secret) -> Result<Lease<Token>, AuthError> {
        let form = Secret::new(refresh_form(self.service, self.scopes, token));
        let body = Bytes::copy_from_slice(form.expose().as_bytes());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.send(self.realm, Method::POST, HeaderMap::from_iter([(CONTENT_TYPE, kind)]), body).await
    }

    /// Asks, and again after a moment where the service is busy and says so in time.
    async fn send(
        &self,
        url: &Url,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Lease<Token>, AuthError> {
        let request = request::to(url, method, headers, body).map_err(RealmRefused::BadUrl)?;
        let patience = self.upstream.timeouts.token / 2;
        let begun = Instant::now();
        for tries in 0.. {
            let outcome = self.send_once(&request, url).await;
            let Err(AuthError::TokenBusy { retry_after, .. }) = &outcome else { return outcome };
            let wait = retry_after.unwrap_or_else(|| busy::backoff(tries));
            if tries == MOST_REPEATS || begun.elapsed() + wait > patience {
                return outcome;
            }
            sleep(wait).await;
        }
        unreachable!("the last repeat returns")
    }

    async fn send_once(&self, request: &http::Request<Payload>, url: &Url) -> Result<Lease<Token>, AuthError> {
        let realm = || self.realm.clone();
        let client = self.upstream.client(&url.origin).map_err(|error| AuthError::Tls(error.to_string()))?;
        // The lifetime counts from before the request: a slow answer only makes us early.
        let begun = Instant::now();
        let response = client.send(request).await.map_err(|why| AuthError::TokenTransport { realm: realm(), why })?;
        let (head, body) = response.into_parts();
        let body = read_limited(body, LARGEST_REPLY, self.upstream.timeouts.body_idle)
            .await
            .map_err(|error| AuthError::TokenBody { realm: realm(), why: error.to_string() })?;
        if head.status != StatusCode::OK {
            return Err(self.refusal(head.status, &head.headers, &body));
        }
        let reply = TokenReply::parse(&body).map_err(|why| AuthError::TokenReply { realm: realm(), why })?;
        let hints = Hints::of(&reply.token);
        let told = [reply.expires_in, hints.lifetime(self.clock.unix_time())].into_iter().flatten().min();
        let lifetime = told.unwrap_or(self.upstream.profile().fallback_lifetime);
        let header = grant::bearer(&reply.token)
            .ok_or_else(|| AuthError::TokenReply { realm: realm(), why: crate::oci::token::BadReply::Characters })?;
        Ok(Lease::new(Token::new(header, hints.granted, self.found.identity()), begun, lifetime))
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: &Bytes) -> AuthError {
        let realm = self.realm.clone();
        let message = message_of(body, &self.found.credential);
        match status {
            status if busy::is_busy(status) => {
                AuthError::TokenBusy { realm, status, message, retry_after: busy::told(headers, self.clock) }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                AuthError::TokenStatus { realm, status, message }
            }
            status if status.is_client_error() => {
                AuthError::TokenRefused { realm, status, message, source_name: self.found.source.clone() }
            }
            _ => AuthError::TokenStatus { realm, status, message },
        }
    }
}

fn token_query(realm: &Url, service: Option<&str>, scopes: &ScopeSet) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    for scope in scopes.render() {
        query.append_pair("scope", &scope);
    }
    let ours = query.finish();
    // A scope in the realm's own query (NGC's form of 2019) is that of the request which was challenged.
    let theirs = realm.query.as_deref().unwrap_or_default().split('&').filter(|part| !part.starts_with("scope="));
    let parts: Vec<&str> = theirs.chain([&*ours]).filter(|part| !part.is_empty()).collect();
    parts.join("&")
}

fn refresh_form(service: Option<&str>, scopes: &ScopeSet, token: &Secret) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("client_id", "regpass");
    if let Some(service) = service {
        form.append_pair("service", service);
    }
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.to_string());
    }
    form.append_pair("refresh_token", token.expose());
    form.finish()
}

fn asks_for_get(error: &AuthError) -> bool {
    matches!(
        error,
        AuthError::TokenRefused { status, .. } | AuthError::TokenStatus { status, .. }
            if matches!(status.as_u16(), 400 | 401 | 404 | 405)
    )
}

/// What the service says, as long as it does not repeat the secret it was sent.
fn message_of(body: &Bytes, credential: &Credential) -> Option<String> {
    let sent = sent_with(credential);
    // Before anything is cut, and again when JSON has been read.
    let clean = |text: &str| !sent.is_in(text);
    let body = Some(body).filter(|body| clean(&String::from_utf8_lossy(body)))?;
    let entries = ErrorEntry::parse_all(body);
    let message = entries.first().map(|entry| entry.message.clone()).or_else(|| readable(body))?;
    Some(message).filter(|message| clean(message)).map(|message| one_line(&message))
}

/// Of a call that a busy service put off.
const MOST_REPEATS: u32 = 2;
/// Tokens of large organisations reach tens of kilobytes; nothing legitimate is larger than this.
const LARGEST_REPLY: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_urls_keep_the_realm_and_leave_out_what_is_absent() {
        for (realm, service, scopes, query) in [
            (
                "https://a.io/token",
                Some("registry.docker.io"),
                "repository:library/python:pull",
                "service=registry.docker.io&scope=repository%3Alibrary%2Fpython%3Apull",
            ),
            ("https://a.io/token", None, "", ""),
            ("https://a.io/p?x=1", None, "repository:a:pull", "x=1&scope=repository%3Aa%3Apull"),
            ("https://a.io/p?x=1&y", None, "", "x=1&y"),
            (
                "https://a.io/p?scope=repository:b:push&x=1",
                None,
                "repository:a:pull",
                "x=1&scope=repository%3Aa%3Apull",
            ),
            ("https://a.io/t", Some("SUSE Linux Docker Registry"), "", "service=SUSE+Linux+Docker+Registry"),
            ("https://a.io/t", Some("s&scope=evil"), "", "service=s%26scope%3Devil"),
            (
                "https://a.io/t",
                Some("s"),
                "repository:a:pull repository:b:pull",
                "service=s&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull",
            ),
        ] {
            let realm = Url::parse(realm).unwrap();
            assert_eq!(token_query(&realm, service, &ScopeSet::parse(scopes)), query);
        }
    }
}
