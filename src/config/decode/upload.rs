//! What uploads go by.

use super::credential;
use super::document::Entry;
use crate::base::secret::Secret;
use crate::config::model::{SHORTEST_UPLOAD_KEY, SecretSource, ValueOrigin};
use crate::config::problem::Fault;
use crate::config::values;

/// One key, or a list of them.
pub(super) fn keys(entry: &Entry<'_>) -> Vec<SecretSource> {
    if !entry.is_list() {
        return key(entry).into_iter().collect();
    }
    let items = entry.list().unwrap_or_default();
    if items.is_empty() {
        entry.report(
            Fault::new("it is empty, so nothing could be signed")
                .hint(format!("leave it out for a random key in each process, or name a key; {MAKE}")),
        );
    }
    items.iter().filter_map(key).collect()
}

fn key(entry: &Entry<'_>) -> Option<SecretSource> {
    let source = if entry.is_table() {
        credential::secret(entry)?
    } else {
        SecretSource::Value { secret: Secret::new(entry.text()?), origin: ValueOrigin::Literal }
    };
    match &source {
        // A file is read when it is used, and judged then.
        SecretSource::Value { secret, .. } if secret.len() < SHORTEST_UPLOAD_KEY => {
            let what = format!("the key is shorter than {SHORTEST_UPLOAD_KEY} bytes, so it could be guessed");
            entry.report(Fault::new(what).hint(MAKE));
            None
        }
        _ => Some(source),
    }
}

/// Bytes.
pub(super) fn spool(entry: &Entry<'_>) -> Option<u64> {
    let size = if entry.is_text() { entry.parse(values::size)? } else { entry.number()? };
    if size > LARGEST_SPOOL {
        entry.report(Fault::new("it is larger than 1 TiB, which no temporary folder holds"));
        return None;
    }
    Some(size)
}

const MAKE: &str = "make one with: openssl rand -base64 32";
const LARGEST_SPOOL: u64 = 1024 * 1024 * 1024 * 1024;
