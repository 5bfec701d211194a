//! One secret of the configuration, as it is now: a value, or a file that holds nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::CredentialError;
use super::watched::{BadFile, Parse, Watched};
use crate::base::secret::Secret;
use crate::config::model::{SHORTEST_UPLOAD_KEY, SecretSource};

/// Where a secret is read, again and again.
#[derive(Debug)]
pub struct Reading(Kind);

#[derive(Debug)]
enum Kind {
    Value(Arc<Secret>),
    File(Watched<Secret>),
}

impl Reading {
    pub fn new(source: &SecretSource) -> Self {
        Self::parsed(source, parse)
    }

    /// Of a key that uploads are signed with: a file with less than such a key needs is as good as a broken one.
    pub fn upload_key(source: &SecretSource) -> Self {
        Self::parsed(source, parse_key)
    }

    fn parsed(source: &SecretSource, parse: Parse<Secret>) -> Self {
        Self(match source {
            SecretSource::Value { secret, .. } => Kind::Value(Arc::new(secret.clone())),
            SecretSource::File(path) => Kind::File(Watched::new(PathBuf::clone(path), parse)),
        })
    }

    /// The secret, a second old at most. A file that goes missing or breaks leaves what it said last in force; one that
    /// never said anything is an error, and looked for again.
    ///
    /// The same value (in the sense of `Arc::ptr_eq`) until the file is written again, so that what is made of it can
    /// be kept.
    pub async fn current(&self) -> Result<Arc<Secret>, CredentialError> {
        match &self.0 {
            Kind::Value(secret) => Ok(secret.clone()),
            Kind::File(file) => file.required().await,
        }
    }

    /// What is wrong with its file now, if it has one.
    pub async fn trouble(&self) -> Option<BadFile> {
        match &self.0 {
            Kind::Value(_) => None,
            Kind::File(file) => file.trouble(true).await,
        }
    }
}

/// The whole file is the secret, less the line end that editors and `echo` add. It may have further lines: there are
/// registries whose password is a key file in JSON.
fn parse(path: &Path, bytes: &[u8]) -> Result<Secret, CredentialError> {
    let wrong = |what| Err(CredentialError::new(format!("{} {what}", path.display())));
    let Ok(text) = str::from_utf8(bytes) else {
        return wrong("is not UTF-8 text; write the secret into it and nothing else");
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => wrong("is empty; write the secret into it"),
        secret => Ok(Secret::new(secret)),
    }
}

fn parse_key(path: &Path, bytes: &[u8]) -> Result<Secret, CredentialError> {
    let key = parse(path, bytes)?;
    if key.len() < SHORTEST_UPLOAD_KEY {
        return Err(CredentialError::new(format!(
            "{} holds a key shorter than {SHORTEST_UPLOAD_KEY} bytes, so it could be guessed; make one with: openssl rand -base64 32",
            path.display()
        )));
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
