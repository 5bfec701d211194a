//! Reports, once, that a source has no credential for a registry.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::info;

use super::ResolvedCredential;
use crate::base::host::RegistryHost;

/// The reports that one source has made. A report is not repeated until the source may have changed.
#[derive(Debug, Default)]
pub(super) struct Absences(Mutex<HashSet<(RegistryHost, String)>>);

impl Absences {
    /// The anonymous credential for a registry, with the reason, which is logged unless it was before. `why` is a
    /// sentence without a period: `the docker file /x/config.json has no credential for ghcr.io`.
    pub(super) fn report(&self, registry: &RegistryHost, why: &str) -> ResolvedCredential {
        if self.is_new(registry, why) {
            info!(%registry, "{why}; requests to {registry} have no credential");
        }
        ResolvedCredential::absent(why)
    }

    /// Makes the next absence for the registry a new one.
    pub(super) fn forget(&self, registry: &RegistryHost) {
        self.reported().retain(|(reported, _)| reported != registry);
    }

    /// Makes the next absence for any registry a new one.
    pub(super) fn forget_all(&self) {
        self.reported().clear();
    }

    fn is_new(&self, registry: &RegistryHost, why: &str) -> bool {
        let mut reported = self.reported();
        if reported.len() >= MAX_REPORTED {
            reported.clear();
        }
        reported.insert((registry.clone(), why.to_owned()))
    }

    fn reported(&self) -> MutexGuard<'_, HashSet<(RegistryHost, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most reports that are remembered for one source.
const MAX_REPORTED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tests::CapturedLog;

    #[test]
    fn absence_is_logged_once_for_each_registry_until_it_is_forgotten() {
        let (log, _guard) = CapturedLog::start();
        let absences = Absences::default();
        let host = |text: &str| RegistryHost::parse(text).unwrap();
        let report = |registry: &str, why: &str| {
            let absent = absences.report(&host(registry), why);
            assert!(absent.is_anonymous() && absent.absence() == Some(why), "{absent:?}");
        };
        for _ in 0..3 {
            report("a.io", "nothing for a.io");
            report("b.io", "nothing for b.io");
        }
        let lines = || (log.lines("nothing for a.io").len(), log.lines("nothing for b.io").len());
        assert_eq!(lines(), (1, 1));
        absences.forget(&host("a.io"));
        report("a.io", "nothing for a.io");
        report("b.io", "nothing for b.io");
        assert_eq!(lines(), (2, 1));
        absences.forget_all();
        report("b.io", "nothing for b.io");
        assert_eq!(lines(), (2, 2));
    }
}
