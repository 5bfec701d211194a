//! The sizes of blobs and manifests at a registry that does not send them with the response to a HEAD.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::oci::reference::Digest;

/// Sizes in bytes by digest. They stay valid, because a digest names one content only.
#[derive(Debug, Default)]
pub struct ContentSizes(Mutex<HashMap<Digest, Size>>);

#[derive(Clone, Copy, Debug)]
enum Size {
    Known(u64),
    /// The registry did not tell it; it is asked again only later.
    Untold {
        until: Instant,
    },
}

impl ContentSizes {
    pub fn get(&self, digest: &Digest) -> Option<u64> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest)? {
            Size::Known(size) => Some(*size),
            Size::Untold { .. } => None,
        }
    }

    /// Whether the registry was asked for this size a short time ago, and did not tell it.
    pub fn is_untold(&self, digest: &Digest) -> bool {
        let sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(sizes.get(digest), Some(Size::Untold { until }) if Instant::now() < *until)
    }

    pub fn remember(&self, digest: &Digest, size: u64) {
        self.insert(digest, Size::Known(size));
    }

    /// Remembers for a minute that the registry does not tell this size.
    pub fn remember_untold(&self, digest: &Digest) {
        self.insert(digest, Size::Untold { until: Instant::now() + ASK_AGAIN });
    }

    /// In place of any other if there are too many.
    fn insert(&self, digest: &Digest, size: Size) {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sizes.len() >= MAX_SIZES
            && let Some(any) = sizes.keys().next().cloned()
        {
            sizes.remove(&any);
        }
        sizes.insert(digest.clone(), size);
    }
}

const ASK_AGAIN: Duration = Duration::from_secs(60);
/// With digests of 71 bytes they take about a megabyte.
const MAX_SIZES: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_sizes_is_limited() {
        let sizes = ContentSizes::default();
        for number in 0..=MAX_SIZES {
            let digest = Digest::of(&number.to_be_bytes());
            sizes.remember(&digest, number as u64);
            assert_eq!(sizes.get(&digest), Some(number as u64));
        }
        assert_eq!(sizes.0.lock().unwrap().len(), MAX_SIZES);
    }
}
