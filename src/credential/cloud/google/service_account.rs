//! Service account keys: regpass signs an assertion with the key and exchanges it for an access token (RFC 7523,
//! <https://developers.google.com/identity/protocols/oauth2/service-account>).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tracing::warn;

use super::json::JsonObject;
use super::{SCOPE, TOKEN_ENDPOINT, parse_token_response};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::base::watched_file::FileError;
use crate::credential::CredentialError;
use crate::credential::cloud::CloudContext;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::IssuedCredential;

/// A key file of the type `service_account`.
pub(super) struct ServiceAccount {
    token_uri: Url,
    /// `token_uri` exactly as the file spells it.
    audience: Box<str>,
    email: Box<str>,
    key_id: Option<Box<str>>,
    key: RsaKeyPair,
    source: String,
}

const EXCHANGING: Step = Step::new(
    "requesting an access token with a Google service account's key",
    "the key may have been deleted or the account disabled; make a new key and save it as the key file",
);

impl ServiceAccount {
    pub(super) fn read(members: &JsonObject<'_>) -> Result<Self, FileError> {
        let email = members.text("client_email")?;
        Ok(Self {
            token_uri: members.url_or("token_uri", TOKEN_ENDPOINT)?,
            audience: members.optional("token_uri").unwrap_or(TOKEN_ENDPOINT).into(),
            key_id: members.optional("private_key_id").map(Into::into),
            key: parse_key(members.text("private_key")?)
                .ok_or_else(|| members.error("has no RSA key in its `private_key`; download the key again"))?,
            source: format!("the key of {email} in {}", members.path().display()),
            email: email.into(),
        })
    }

    /// Requests an access token. If the endpoint denies the assertion and its clock differs from this machine's, tries
    /// once more with the endpoint's time: an assertion is valid for an hour from its `iat`.
    pub(super) async fn access_token(&self, context: &CloudContext) -> Result<IssuedCredential, Failure> {
        let now = context.clock.unix_time();
        let denial = match self.exchange(context, now).await {
            Err(failure) if failure.is_denial => failure,
            outcome => return outcome,
        };
        match denial.server_time.filter(|server_time| server_time.abs_diff(now) > TOLERATED_SKEW) {
            Some(server_time) => {
                let (seconds, host) = (server_time.abs_diff(now).as_secs(), self.token_uri.origin.authority());
                warn!(
                    seconds,
                    host, "this machine's clock differs from the token endpoint's; signing with the endpoint's time"
                );
                self.exchange(context, server_time).await
            }
            None => Err(denial),
        }
    }

    async fn exchange(&self, context: &CloudContext, now: Duration) -> Result<IssuedCredential, Failure> {
        let assertion = self.assertion(now)?;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.expose())];
        let request = EndpointRequest::form(&EXCHANGING, &self.token_uri, &form, &[&assertion]);
        parse_token_response(&context.client.send(request).await?, self.source.clone())
    }

    fn assertion(&self, now: Duration) -> Result<Secret, CredentialError> {
        let issued_at = now.saturating_sub(BACKDATED_BY).as_secs();
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.audience,
            "iat": issued_at,
            "exp": issued_at + MAX_LIFETIME.as_secs(),
        });
        let part = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed_part = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed_part.as_bytes(), &mut signature)
            .map_err(|_| CredentialError::new(format!("cannot sign with {}; make a new key", self.source)))?;
        Ok(Secret::new(format!("{signed_part}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

fn parse_key(pem: &str) -> Option<RsaKeyPair> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

/// The longest lifetime of an assertion that the endpoint accepts.
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// How far `iat` is before the present, so that an assertion is valid although this machine's clock is slightly ahead.
const BACKDATED_BY: Duration = Duration::from_secs(10);
/// The clock difference above which a denied assertion is signed again with the endpoint's time.
const TOLERATED_SKEW: Duration = Duration::from_secs(60);
