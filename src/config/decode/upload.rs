//! Decodes `upload_key` and `upload_spool`.

use super::document::Entry;
use super::secret::secret;
use crate::base::secret::Secret;
use crate::config::model::{MIN_UPLOAD_KEY_LENGTH, SecretSource, ValueSource};
use crate::config::problem::Fault;
use crate::config::values;

/// The value of `upload_key`: one key, or a list of keys.
pub(super) fn keys(entry: &Entry<'_>) -> Vec<SecretSource> {
    if !entry.is_list() {
        return key(entry).into_iter().collect();
    }
    let items = entry.list().unwrap_or_default();
    if items.is_empty() {
        let hint = format!("remove `upload_key`, so that each process uses a random key, or name a key; {KEY_COMMAND}");
        entry.report(Fault::new("the list is empty, so upload URLs could not be encrypted").hint(hint));
    }
    items.iter().filter_map(key).collect()
}

fn key(entry: &Entry<'_>) -> Option<SecretSource> {
    let source = if entry.is_table() {
        secret(entry)?
    } else {
        SecretSource::Value { secret: Secret::new(entry.text()?), source: ValueSource::Literal }
    };
    match &source {
        // The length of a key in a file is checked when the file is read.
        SecretSource::Value { secret, .. } if secret.len() < MIN_UPLOAD_KEY_LENGTH => {
            let what = format!("the key is shorter than {MIN_UPLOAD_KEY_LENGTH} bytes, so it could be guessed");
            entry.report(Fault::new(what).hint(KEY_COMMAND));
            None
        }
        _ => Some(source),
    }
}

/// The size limit of an upload's spool, in bytes.
pub(super) fn spool(entry: &Entry<'_>) -> Option<u64> {
    let size = if entry.is_text() { entry.parse(values::size)? } else { entry.number()? };
    if size > MAX_SPOOL {
        entry.report(Fault::new("the size is larger than 1 TiB, the most that is allowed"));
        return None;
    }
    Some(size)
}

const KEY_COMMAND: &str = "make one with: openssl rand -base64 32";
const MAX_SPOOL: u64 = 1024 * 1024 * 1024 * 1024;
