//! The sizes of blobs and manifests at a registry that does not send them with the response to a HEAD.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::oci::reference::Digest;

/// Sizes in bytes by digest. They stay valid, because a digest names one content only.
#[derive(Debug, Default)]
pub struct ContentSizes(Mutex<HashMap<Digest, u64>>);

impl ContentSizes {
    pub fn get(&self, digest: &Digest) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied()
    }

    /// Remembers a size, in place of any other if there are too many.
    pub fn remember(&self, digest: &Digest, size: u64) {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sizes.len() >= MAX_SIZES
            && let Some(any) = sizes.keys().next().cloned()
        {
            sizes.remove(&any);
        }
        sizes.insert(digest.clone(), size);
    }
}

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
