//! Upload sessions as URLs: where an upload stands, sealed into one path segment of ours.
//!
//! A registry's session URL may be absolute, outside `/v2/`, or full of state. The seal carries all of it, so nothing
//! has to be remembered and any replica with the key can go on. It is bound to registry and repository and cannot be
//! forged: it leads where the registry said, or nowhere.

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
use crate::credential::secret::Reading;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Session;
use crate::oci::query::Query;

/// Where an upload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where the registry wants its next step.
    pub url: Url,
    /// How many bytes it has taken.
    pub received: u64,
    /// The name under which this process keeps what it has not sent yet.
    pub kept: Option<KeptId>,
}

/// Names the chunks that one process keeps of one upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeptId(pub u128);

impl Stage {
    /// The same with `query` behind what the registry's URL has already.
    pub fn with_query(&self, query: &Query) -> Self {
        let theirs = self.url.query.as_deref().map(|query| query.trim_end_matches('&'));
        let query = match theirs.filter(|theirs| !theirs.is_empty()) {
            _ if query.is_empty() => return self.clone(),
            Some(theirs) => format!("{theirs}&{query}"),
            None => query.to_string(),
        };
        let url = Url { query: Some(query.into()), ..self.url.clone() };
        Self { url, ..self.clone() }
    }

    fn render(&self) -> String {
        let kept = self.kept.map(|KeptId(id)| format!("{id:x}")).unwrap_or_default();
        format!("{} {kept} {}{}", self.received, self.url.origin, self.url.target())
    }

    fn parse(text: &str) -> Option<Self> {
        let (received, rest) = text.split_once(' ')?;
        let (kept, url) = rest.split_once(' ')?;
        let kept = if kept.is_empty() { None } else { Some(KeptId(u128::from_str_radix(kept, 16).ok()?)) };
        Some(Self { url: Url::parse(url).ok()?, received: received.parse().ok()?, kept })
    }
}

/// Seals and opens stages. The first key seals, every key opens.
#[derive(Clone)]
pub struct Seal {
    /// The operator's, which may be files that change.
    given: Vec<Arc<Reading>>,
    /// Seals where none is given, and opens what it has sealed for as long as the process lives.
    random: Secret,
}

/// Why a session cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("there is no such upload: it was begun elsewhere or under another key, or its URL was altered")]
    Broken,
    #[error("the upload key cannot be read: {0}")]
    Key(CredentialError),
    #[error("the system's random numbers or cryptography failed")]
    Unavailable,
}

impl Seal {
    /// With the operator's keys, or with one that lives as long as the process when there are none.
    pub fn new(given: Vec<Arc<Reading>>) -> Result<Self, SealError> {
        let mut random = [0; 32];
        rand::fill(&mut random).map_err(|_| SealError::Unavailable)?;
        Ok(Self { given, random: Secret::new(URL_SAFE_NO_PAD.encode(random)) })
    }

    /// The same process with other keys of its operator.
    pub fn with_keys(&self, given: Vec<Arc<Reading>>) -> Self {
        Self { given, random: self.random.clone() }
    }

    pub async fn seal(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
        stage: &Stage,
    ) -> Result<Session, SealError> {
        let key = match self.given.first() {
            Some(first) => derived(&*first.current().await.map_err(SealError::Key)?)?,
            None => derived(&self.random)?,
        };
        let mut text = stage.render().into_bytes();
        let nonce = key.seal_in_place_append_tag(bound_to(registry, repository), &mut text);
        let mut sealed = nonce.map_err(|_| SealError::Unavailable)?.as_ref().to_vec();
        sealed.extend(text);
        Ok(Session(URL_SAFE_NO_PAD.encode(sealed).into()))
    }

    pub async fn open(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
        session: &Session,
    ) -> Result<Stage, SealError> {
        let sealed = URL_SAFE_NO_PAD.decode(&*session.0).map_err(|_| SealError::Broken)?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let opened = |secret: &Secret| {
            let mut text = text.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let plain =
                derived(secret).ok()?.open_in_place(nonce, bound_to(registry, repository), &mut text).ok()?.to_vec();
            Stage::parse(&String::from_utf8(plain).ok()?)
        };
        if let Some(stage) = opened(&self.random) {
            return Ok(stage);
        }
        let mut unreadable = None;
        for key in &self.given {
            match key.current().await.map(|secret| opened(&secret)) {
                Ok(Some(stage)) => return Ok(stage),
                Ok(None) => {}
                Err(error) => unreadable = Some(error),
            }
        }
        Err(unreadable.map_or(SealError::Broken, SealError::Key))
    }
}

fn derived(secret: &Secret) -> Result<RandomizedNonceKey, SealError> {
    let bytes = digest(&SHA256, secret.expose().as_bytes());
    RandomizedNonceKey::new(&AES_256_GCM, bytes.as_ref()).map_err(|_| SealError::Unavailable)
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("given", &self.given.len()).finish_non_exhaustive()
    }
}

/// What a sealed URL is good for. Neither part can hold a line break.
fn bound_to(registry: &RegistryHost, repository: &RepositoryName) -> Aad<Vec<u8>> {
    Aad::from(format!("{registry}\n{repository}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{SecretSource, ValueOrigin};

    fn registry(text: &str) -> RegistryHost {
        RegistryHost::parse(text).unwrap()
    }

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    fn stage(url: &str) -> Stage {
        Stage { url: Url::parse(url).unwrap(), received: 1024, kept: Some(KeptId(7)) }
    }

    fn with_keys(keys: &[&str]) -> Seal {
        let source = |key: &&str| SecretSource::Value { secret: Secret::new(*key), origin: ValueOrigin::Literal };
        Seal::new(keys.iter().map(|key| Arc::new(Reading::upload_key(&source(key)))).collect()).unwrap()
    }

    async fn sealed(seal: &Seal, stage: &Stage) -> Session {
        seal.seal(&registry("r.io"), &name("a/b"), stage).await.unwrap()
    }

    async fn opened(seal: &Seal, session: &Session) -> Option<Stage> {
        seal.open(&registry("r.io"), &name("a/b"), session).await.ok()
    }

    #[tokio::test]
    async fn a_sealed_stage_comes_back_whole_and_for_its_repository_only() {
        let seal = with_keys(&[]);
        let stage = stage("https://r.io/artifacts-uploads/x/uploads/1?_state=a%2Fb%3D&x=&");
        let session = sealed(&seal, &stage).await;
        assert!(session.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "one path segment");
        assert_eq!(opened(&seal, &session).await, Some(stage));
        for (host, repository) in [("r.io", "a/c"), ("s.io", "a/b"), ("r.io:5000", "a/b")] {
            assert!(seal.open(&registry(host), &name(repository), &session).await.is_err(), "{host}/{repository}");
        }
    }

    #[tokio::test]
    async fn altered_and_invented_sessions_are_refused() {
        let seal = with_keys(&[]);
        let Session(good) = sealed(&seal, &stage("https://r.io/x")).await;
        for at in 0..good.len() {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = Session(String::from_utf8(bytes).unwrap().into());
            assert_eq!(opened(&seal, &altered).await, None, "character {at}");
        }
        for invented in ["", "x", "upload-1", "!!!", &"A".repeat(200)] {
            assert_eq!(opened(&seal, &Session(invented.into())).await, None, "{invented}");
        }
    }

    #[tokio::test]
    async fn keys_may_be_rotated_and_shared() {
        let (old, new) = ("the old upload key", "the new upload key");
        let (before, during, after) = (with_keys(&[old]), with_keys(&[new, old]), with_keys(&[new]));
        let stage = stage("https://r.io/x");
        assert!(opened(&during, &sealed(&before, &stage).await).await.is_some(), "uploads outlive a new key");
        assert!(opened(&after, &sealed(&during, &stage).await).await.is_some(), "the first key seals");
        assert!(opened(&after, &sealed(&before, &stage).await).await.is_none(), "a key that is gone opens nothing");
        assert!(opened(&with_keys(&[]), &sealed(&with_keys(&[]), &stage).await).await.is_none(), "each its own");
    }

    #[tokio::test]
    async fn uploads_outlive_the_arrival_of_a_first_key() {
        let before = with_keys(&[]);
        let after = before.with_keys(with_keys(&["the first upload key"]).given);
        let stage = stage("https://r.io/x");
        assert!(opened(&after, &sealed(&before, &stage).await).await.is_some());
        assert!(opened(&before, &sealed(&after, &stage).await).await.is_none(), "the operator's key seals");
    }

    #[test]
    fn queries_are_put_together() {
        for (theirs, ours, whole) in [
            ("https://r.io/x", "", "/x"),
            ("https://r.io/x?_state=a%3D&", "", "/x?_state=a%3D&"),
            ("https://r.io/x?_state=a%3D&", "digest=d", "/x?_state=a%3D&digest=d"),
            ("https://r.io/x?", "digest=d", "/x?digest=d"),
            ("https://r.io/x", "digest=d&y", "/x?digest=d&y"),
        ] {
            assert_eq!(stage(theirs).with_query(&Query::parse(Some(ours))).url.target(), whole, "{theirs} {ours}");
        }
    }
}
