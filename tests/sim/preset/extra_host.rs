//! Further hosts of a registry: a second token service, or the target of redirects of the API.

use super::Preset;

/// A further host of a registry: it shares the registry's content, users and tokens, but has its own preset.
#[derive(Clone)]
pub struct ExtraHost {
    /// Its name in the ledger, and the first label of its host name.
    pub name: &'static str,
    /// Precedes repository names in paths at this host; the registry stores them without it.
    pub repository_prefix: &'static str,
    /// Whether the client may send credentials to it; otherwise that breaks a rule.
    pub may_receive_credentials: bool,
    /// How the host replies. The preset's token service is at this host too.
    pub preset: Preset,
}

impl ExtraHost {
    /// Makes the host's challenges name its own token service, once its origin is known. The service stays if the
    /// preset sets one.
    pub(in super::super) fn set_origin(&mut self, origin: &str) {
        self.preset.tokens.realm = Some(format!("{origin}{}", self.preset.tokens.path));
        self.preset.tokens.service.get_or_insert_with(|| origin.trim_start_matches("http://").to_owned());
    }
}
