//! A bounded set of origins.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::base::origin::Origin;

/// Origins that were used, the first 64 of them: a registry can name any number.
#[derive(Debug, Default)]
pub struct SeenOrigins(Mutex<BTreeSet<Origin>>);

impl SeenOrigins {
    pub fn record(&self, origin: &Origin) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MAX_ORIGINS && !seen.contains(origin) {
            seen.insert(origin.clone());
        }
    }

    pub fn contains(&self, origin: &Origin) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    /// All of them, sorted.
    pub fn list(&self) -> Vec<Origin> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

const MAX_ORIGINS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_origins_are_kept() {
        let seen = SeenOrigins::default();
        let origin = |number: usize| Origin::https(&format!("h{number}.example")).unwrap();
        for number in (0..200).chain(0..200) {
            seen.record(&origin(number));
        }
        assert_eq!(seen.list().len(), MAX_ORIGINS);
        assert!(seen.contains(&origin(0)) && !seen.contains(&origin(199)));
    }
}
