//! Upload sessions, encrypted into one path segment of the client's URL.
//!
//! A registry's session URL may be absolute, outside `/v2/`, or contain the registry's own state. The client's URL
//! carries all of it, so any replica with the same key can continue the upload, unless one process buffers its chunks.
//! The encrypted session is authenticated and bound to registry and repository: a client cannot forge one.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::host::RegistryHost;
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::CredentialError;
use crate::credential::secret_reader::SecretReader;
use crate::oci::name::RepositoryName;
use crate::oci::operation::SessionId;
use crate::oci::query::Query;

/// The state of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSession {
    /// The registry's URL for the next request.
    pub url: Url,
    /// Bytes that the registry has received and regpass has buffered so far.
    pub received: u64,
    /// The chunks of the upload that this process buffers, if any.
    pub buffer: Option<BufferId>,
}

/// Identifies the chunks that one process buffers of one upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(pub u128);

impl UploadSession {
    /// The session with `query` appended to that of its URL.
    pub fn with_query(&self, query: &Query) -> Self {
        let own = self.url.query.as_deref().map(|query| query.trim_end_matches('&'));
        let query = match own.filter(|own| !own.is_empty()) {
            _ if query.is_empty() => return self.clone(),
            Some(own) => format!("{own}&{query}"),
            None => query.to_string(),
        };
        let url = Url { query: Some(query.into()), ..self.url.clone() };
        Self { url, ..self.clone() }
    }

    /// The text to encrypt: `received buffer url`.
    fn render(&self) -> String {
        let buffer = self.buffer.map(|BufferId(id)| format!("{id:x}")).unwrap_or_default();
        format!("{} {buffer} {}{}", self.received, self.url.origin, self.url.target())
    }

    fn parse(text: &str) -> Option<Self> {
        let (received, rest) = text.split_once(' ')?;
        let (buffer, url) = rest.split_once(' ')?;
        let buffer = if buffer.is_empty() { None } else { Some(BufferId(u128::from_str_radix(buffer, 16).ok()?)) };
        Some(Self { url: Url::parse(url).ok()?, received: received.parse().ok()?, buffer })
    }
}

/// The keys that encrypt sessions. The first one encrypts, all of them decrypt.
#[derive(Clone)]
pub struct SessionKeys {
    /// The keys of `upload_key`, which may be files that change.
    configured: Vec<Arc<SecretReader>>,
    /// A random key. It encrypts if no key is configured, and decrypts for the lifetime of the process.
    process_key: Secret,
}

/// Why a session cannot be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(
        "unknown upload session: it was started before a restart, by another regpass process or under another `upload_key`, or its URL was changed"
    )]
    Unknown,
    #[error("cannot read the upload key: {0}")]
    Key(CredentialError),
    #[error("the system's random number generator or AES-GCM failed")]
    Unavailable,
}

impl SessionKeys {
    /// Takes the configured keys and makes the random process key, which encrypts if none is configured.
    pub fn new(configured: Vec<Arc<SecretReader>>) -> Result<Self, SessionError> {
        let mut random = [0; 32];
        rand::fill(&mut random).map_err(|_| SessionError::Unavailable)?;
        Ok(Self { configured, process_key: Secret::new(URL_SAFE_NO_PAD.encode(random)) })
    }

    /// The same process key with other configured keys.
    pub fn with_keys(&self, configured: Vec<Arc<SecretReader>>) -> Self {
        Self { configured, process_key: self.process_key.clone() }
    }

    /// Encrypts a session, bound to registry and repository.
    pub async fn encrypt(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
        session: &UploadSession,
    ) -> Result<SessionId, SessionError> {
        let key = match self.configured.first() {
            Some(first) => aead_key(&*first.current().await.map_err(SessionError::Key)?)?,
            None => aead_key(&self.process_key)?,
        };
        let mut text = session.render().into_bytes();
        let nonce = key.seal_in_place_append_tag(bound_to(registry, repository), &mut text);
        let mut encrypted = nonce.map_err(|_| SessionError::Unavailable)?.as_ref().to_vec();
        encrypted.extend(text);
        Ok(SessionId(URL_SAFE_NO_PAD.encode(encrypted).into()))
    }

    /// Decrypts a session that was encrypted for the same registry and repository.
    pub async fn decrypt(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
        session: &SessionId,
    ) -> Result<UploadSession, SessionError> {
        let encrypted = URL_SAFE_NO_PAD.decode(&*session.0).map_err(|_| SessionError::Unknown)?;
        let (nonce, text) = encrypted.split_at_checked(NONCE_LEN).ok_or(SessionError::Unknown)?;
        let decrypted = |secret: &Secret| {
            let mut text = text.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let plain =
                aead_key(secret).ok()?.open_in_place(nonce, bound_to(registry, repository), &mut text).ok()?.to_vec();
            UploadSession::parse(&String::from_utf8(plain).ok()?)
        };
        if let Some(session) = decrypted(&self.process_key) {
            return Ok(session);
        }
        let mut key_error = None;
        for key in &self.configured {
            match key.current().await.map(|secret| decrypted(&secret)) {
                Ok(Some(session)) => return Ok(session),
                Ok(None) => {}
                Err(error) => key_error = Some(error),
            }
        }
        Err(key_error.map_or(SessionError::Unknown, SessionError::Key))
    }
}

fn aead_key(secret: &Secret) -> Result<RandomizedNonceKey, SessionError> {
    let bytes = digest(&SHA256, secret.expose().as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, bytes.as_ref()).map_err(|_| SessionError::Unavailable)
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("configured", &self.configured.len()).finish_non_exhaustive()
    }
}

/// The associated data that binds a session to registry and repository. Neither can contain a line break.
fn bound_to(registry: &RegistryHost, repository: &RepositoryName) -> Aad<Vec<u8>> {
    Aad::from(format!("{registry}\n{repository}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{SecretSource, ValueSource};

    fn registry(text: &str) -> RegistryHost {
        RegistryHost::parse(text).unwrap()
    }

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    fn session(url: &str) -> UploadSession {
        UploadSession { url: Url::parse(url).unwrap(), received: 1024, buffer: Some(BufferId(7)) }
    }

    fn with_keys(keys: &[&str]) -> SessionKeys {
        let source = |key: &&str| SecretSource::Value { secret: Secret::new(*key), source: ValueSource::Literal };
        SessionKeys::new(keys.iter().map(|key| Arc::new(SecretReader::new_upload_key(&source(key)))).collect()).unwrap()
    }

    async fn encrypted(keys: &SessionKeys, session: &UploadSession) -> SessionId {
        keys.encrypt(&registry("r.io"), &name("a/b"), session).await.unwrap()
    }

    async fn decrypted(keys: &SessionKeys, id: &SessionId) -> Option<UploadSession> {
        keys.decrypt(&registry("r.io"), &name("a/b"), id).await.ok()
    }

    #[tokio::test]
    async fn encrypted_session_is_valid_for_its_registry_and_repository_only() {
        let keys = with_keys(&[]);
        let session = session("https://r.io/artifacts-uploads/x/uploads/1?_state=a%2Fb%3D&x=&");
        let id = encrypted(&keys, &session).await;
        assert!(id.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "one path segment");
        assert_eq!(decrypted(&keys, &id).await, Some(session));
        for (host, repository) in [("r.io", "a/c"), ("s.io", "a/b"), ("r.io:5000", "a/b")] {
            assert!(keys.decrypt(&registry(host), &name(repository), &id).await.is_err(), "{host}/{repository}");
        }
    }

    #[tokio::test]
    async fn altered_and_invented_sessions_are_rejected() {
        let keys = with_keys(&[]);
        let SessionId(good) = encrypted(&keys, &session("https://r.io/x")).await;
        for at in 0..good.len() {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = SessionId(String::from_utf8(bytes).unwrap().into());
            assert_eq!(decrypted(&keys, &altered).await, None, "character {at}");
        }
        for invented in ["", "x", "upload-1", "!!!", &"A".repeat(200)] {
            assert_eq!(decrypted(&keys, &SessionId(invented.into())).await, None, "{invented}");
        }
    }

    #[tokio::test]
    async fn sessions_survive_the_rotation_of_the_key() {
        let (old, new) = ("the old upload key", "the new upload key");
        let (before, during, after) = (with_keys(&[old]), with_keys(&[new, old]), with_keys(&[new]));
        let session = session("https://r.io/x");
        for (encrypting, decrypting, succeeds, case) in [
            (&before, &during, true, "the second key decrypts"),
            (&during, &after, true, "the first key encrypts"),
            (&before, &after, false, "a removed key does not decrypt"),
            (&with_keys(&[]), &with_keys(&[]), false, "the key of another process does not decrypt"),
        ] {
            let id = encrypted(encrypting, &session).await;
            assert_eq!(decrypted(decrypting, &id).await.is_some(), succeeds, "{case}");
        }
    }

    #[tokio::test]
    async fn sessions_survive_the_configuration_of_a_first_key() {
        let before = with_keys(&[]);
        let after = before.with_keys(with_keys(&["the first upload key"]).configured);
        let session = session("https://r.io/x");
        assert!(decrypted(&after, &encrypted(&before, &session).await).await.is_some());
        assert!(decrypted(&before, &encrypted(&after, &session).await).await.is_none(), "the configured key encrypts");
    }

    #[test]
    fn query_is_appended_to_that_of_the_session_url() {
        let target = |url: &str, query: &str| session(url).with_query(&Query::parse(Some(query))).url.target();
        assert_eq!(target("https://r.io/x", ""), "/x");
        assert_eq!(target("https://r.io/x", "digest=d&y"), "/x?digest=d&y");
        assert_eq!(target("https://r.io/x?", "digest=d"), "/x?digest=d");
        assert_eq!(target("https://r.io/x?_state=a%3D&", ""), "/x?_state=a%3D&");
        assert_eq!(target("https://r.io/x?_state=a%3D&", "digest=d"), "/x?_state=a%3D&digest=d");
    }
}
