//! Reads one secret of the configuration: a value, or a file that contains only the secret.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::CredentialError;
use crate::base::secret::Secret;
use crate::base::watched_file::{FileError, FileProblem, Parse, WatchedFile};
use crate::config::model::{MIN_UPLOAD_KEY_LENGTH, SecretSource};

/// A secret and how to read its current value.
#[derive(Debug)]
pub struct SecretReader(Kind);

#[derive(Debug)]
enum Kind {
    Value(Arc<Secret>),
    File(WatchedFile<Secret>),
}

impl SecretReader {
    pub fn new(source: &SecretSource) -> Self {
        Self::with_parser(source, parse)
    }

    /// The reader for a key that encrypts upload sessions. A file with a key that is too short counts as broken.
    pub fn new_upload_key(source: &SecretSource) -> Self {
        Self::with_parser(source, parse_upload_key)
    }

    fn with_parser(source: &SecretSource, parse: Parse<Secret>) -> Self {
        Self(match source {
            SecretSource::Value { secret, .. } => Kind::Value(Arc::new(secret.clone())),
            SecretSource::File(path) => Kind::File(WatchedFile::new(PathBuf::clone(path), parse)),
        })
    }

    /// The secret, at most a second old. If the file is missing or broken, its last good content; an error if there is
    /// none yet.
    ///
    /// Returns the same value (in the sense of `Arc::ptr_eq`) until the file is written again, so that callers can
    /// cache what they derive from it.
    pub async fn current(&self) -> Result<Arc<Secret>, CredentialError> {
        match &self.0 {
            Kind::Value(secret) => Ok(secret.clone()),
            Kind::File(file) => Ok(file.current().await?),
        }
    }

    /// What is wrong with the secret's file now. `None` for a value.
    pub async fn problem(&self) -> Option<FileProblem> {
        match &self.0 {
            Kind::Value(_) => None,
            Kind::File(file) => file.problem(true).await,
        }
    }
}

/// The whole file without the line end that editors and `echo` add. It may have several lines: some registries accept a
/// JSON key file as the password.
fn parse(path: &Path, text: &str) -> Result<Secret, FileError> {
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(FileError::new(format!("{} is empty; write the secret into it", path.display()))),
        secret => Ok(Secret::new(secret)),
    }
}

fn parse_upload_key(path: &Path, text: &str) -> Result<Secret, FileError> {
    let key = parse(path, text)?;
    if key.len() < MIN_UPLOAD_KEY_LENGTH {
        return Err(FileError::new(format!(
            "{} contains a key shorter than {MIN_UPLOAD_KEY_LENGTH} bytes, which could be guessed; generate one with: openssl rand -base64 32",
            path.display()
        )));
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
