//! A service account's key: a statement signed with it is good for an access token (RFC 7523,
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

use super::key_file::Members;
use super::{SCOPE, TOKEN_ENDPOINT, granted};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::CredentialError;
use crate::credential::cloud::Surroundings;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::Lent;

pub(super) struct ServiceAccount {
    token_uri: Url,
    /// The endpoint's name, as the file spells it.
    audience: Box<str>,
    email: Box<str>,
    key_id: Option<Box<str>>,
    key: RsaKeyPair,
    source: String,
}

const SIGNING_IN: Step = Step {
    doing: "signing in with a Google service account's key",
    hint: "the key may be deleted or the account disabled: make a new key, and put it into the key file",
};

impl ServiceAccount {
    pub(super) fn read(members: &Members<'_>) -> Result<Self, CredentialError> {
        let email = members.text("client_email")?;
        Ok(Self {
            token_uri: members.url_or("token_uri", TOKEN_ENDPOINT)?,
            audience: members.optional("token_uri").unwrap_or(TOKEN_ENDPOINT).into(),
            key_id: members.optional("private_key_id").map(Into::into),
            key: key(members.text("private_key")?)
                .ok_or_else(|| members.wrong("holds no RSA key in its 'private_key'; download the key again"))?,
            source: format!("the key of {email} in {}", members.path().display()),
            email: email.into(),
        })
    }

    /// Asks again with the endpoint's own time where this machine's clock is far from it: a statement is good for an hour
    /// around its dates.
    pub(super) async fn access_token(&self, surroundings: &Surroundings) -> Result<Lent, Failure> {
        let now = surroundings.clock.unix_time();
        let refused = match self.ask(surroundings, now).await {
            Err(refused) if refused.is_refusal => refused,
            outcome => return outcome,
        };
        match refused.their_time.filter(|theirs| theirs.abs_diff(now) > TOLERATED_SKEW) {
            Some(theirs) => {
                let (seconds, host) = (theirs.abs_diff(now).as_secs(), self.token_uri.origin.authority());
                warn!(seconds, host, "this machine's clock is not the endpoint's; the endpoint's is taken");
                self.ask(surroundings, theirs).await
            }
            None => Err(refused),
        }
    }

    async fn ask(&self, surroundings: &Surroundings, now: Duration) -> Result<Lent, Failure> {
        let assertion = self.assertion(now)?;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.expose())];
        let question = Question::form(&SIGNING_IN, &self.token_uri, &form, &[&assertion]);
        granted(&surroundings.clouds.ask(question).await?, self.source.clone())
    }

    fn assertion(&self, now: Duration) -> Result<Secret, CredentialError> {
        let issued = now.saturating_sub(HEAD_START).as_secs();
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.audience,
            "iat": issued,
            "exp": issued + LONGEST.as_secs(),
        });
        let part = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let statement = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), statement.as_bytes(), &mut signature)
            .map_err(|_| CredentialError::new(format!("signing with {} failed; make a new key", self.source)))?;
        Ok(Secret::new(format!("{statement}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

fn key(pem: &str) -> Option<RsaKeyPair> {
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

/// The longest that the endpoint accepts.
const LONGEST: Duration = Duration::from_secs(3600);
/// For a clock that is a little ahead.
const HEAD_START: Duration = Duration::from_secs(10);
const TOLERATED_SKEW: Duration = Duration::from_secs(60);
