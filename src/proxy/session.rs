//! Upload sessions as URLs: the registry's `Location`, sealed into one path segment of ours.
//!
//! A registry's session URL may be absolute, outside `/v2/`, or full of state. The seal carries all of it, so nothing
//! has to be remembered and any replica with the key can go on. It is bound to registry and repository and cannot be
//! forged: it leads where the registry said, or nowhere.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::host::RegistryHost;
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Session;

/// Seals and opens session URLs. The first key seals, every key opens.
pub struct Seal {
    keys: Vec<RandomizedNonceKey>,
}

/// Why a session cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("there is no such upload: it was begun elsewhere or under another key, or its URL was altered")]
    Broken,
    #[error("the system's random numbers or cryptography failed")]
    Unavailable,
}

impl Seal {
    /// With the operator's keys, or with one that lives as long as the process when there are none.
    pub fn new(keys: &[Secret]) -> Result<Self, SealError> {
        let mut random = [0; 32];
        rand::fill(&mut random).map_err(|_| SealError::Unavailable)?;
        let given = keys.iter().map(|key| digest(&SHA256, key.expose().as_bytes()).as_ref().to_vec());
        let bytes: Vec<Vec<u8>> = if keys.is_empty() { vec![random.to_vec()] } else { given.collect() };
        let key = |bytes: &Vec<u8>| RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Unavailable);
        Ok(Self { keys: bytes.iter().map(key).collect::<Result<_, _>>()? })
    }

    pub fn seal(&self, registry: &RegistryHost, repository: &RepositoryName, url: &Url) -> Result<Session, SealError> {
        let key = self.keys.first().ok_or(SealError::Unavailable)?;
        let mut text = format!("{}{}", url.origin, url.target()).into_bytes();
        let nonce = key.seal_in_place_append_tag(bound_to(registry, repository), &mut text);
        let mut sealed = nonce.map_err(|_| SealError::Unavailable)?.as_ref().to_vec();
        sealed.extend(text);
        Ok(Session(URL_SAFE_NO_PAD.encode(sealed).into()))
    }

    pub fn open(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
        session: &Session,
    ) -> Result<Url, SealError> {
        let sealed = URL_SAFE_NO_PAD.decode(&*session.0).map_err(|_| SealError::Broken)?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Broken)?;
        let opened = self.keys.iter().find_map(|key| {
            let mut text = text.to_vec();
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let plain = key.open_in_place(nonce, bound_to(registry, repository), &mut text).ok()?;
            Url::parse(std::str::from_utf8(plain).ok()?).ok()
        });
        opened.ok_or(SealError::Broken)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("keys", &self.keys.len()).finish()
    }
}

/// What a sealed URL is good for. Neither part can hold a line break.
fn bound_to(registry: &RegistryHost, repository: &RepositoryName) -> Aad<Vec<u8>> {
    Aad::from(format!("{registry}\n{repository}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(text: &str) -> RegistryHost {
        RegistryHost::parse(text).unwrap()
    }

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    #[test]
    fn a_sealed_url_comes_back_whole_and_for_its_repository_only() {
        let seal = Seal::new(&[]).unwrap();
        let url = Url::parse("https://r.io/artifacts-uploads/x/uploads/1?_state=a%2Fb%3D&x=&").unwrap();
        let session = seal.seal(&registry("r.io"), &name("a/b"), &url).unwrap();
        assert!(session.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "one path segment");
        assert_eq!(seal.open(&registry("r.io"), &name("a/b"), &session), Ok(url));
        assert_eq!(seal.open(&registry("r.io"), &name("a/c"), &session), Err(SealError::Broken));
        assert_eq!(seal.open(&registry("s.io"), &name("a/b"), &session), Err(SealError::Broken));
    }

    #[test]
    fn altered_and_invented_sessions_are_refused() {
        let seal = Seal::new(&[]).unwrap();
        let url = Url::parse("https://r.io/x").unwrap();
        let Session(good) = seal.seal(&registry("r.io"), &name("a"), &url).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = Session(String::from_utf8(bytes).unwrap().into());
            // The last character of base64 has bits that carry nothing.
            let opened = seal.open(&registry("r.io"), &name("a"), &altered);
            assert!(opened.is_err() || at == good.len() - 1, "character {at}");
        }
        for invented in ["", "x", "upload-1", "!!!", &"A".repeat(200)] {
            assert_eq!(seal.open(&registry("r.io"), &name("a"), &Session(invented.into())), Err(SealError::Broken));
        }
    }

    #[test]
    fn keys_may_be_rotated_and_shared() {
        let (old, new) = (Secret::new("old key"), Secret::new("new key"));
        let url = Url::parse("https://r.io/x").unwrap();
        let before = Seal::new(&[old.clone()]).unwrap();
        let during = Seal::new(&[new.clone(), old]).unwrap();
        let after = Seal::new(&[new]).unwrap();
        let session = |seal: &Seal| seal.seal(&registry("r.io"), &name("a"), &url).unwrap();
        let opens = |seal: &Seal, session: &Session| seal.open(&registry("r.io"), &name("a"), session).is_ok();
        assert!(opens(&during, &session(&before)), "sessions outlive a new key");
        assert!(opens(&after, &session(&during)), "the first key seals");
        assert!(!opens(&after, &session(&before)), "a key that is gone opens nothing");
        assert!(!opens(&Seal::new(&[]).unwrap(), &session(&Seal::new(&[]).unwrap())), "random keys are each their own");
    }
}
