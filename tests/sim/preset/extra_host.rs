//! Further hosts of a registry: a second token service, or the target of redirects of the API.

use super::Preset;

/// A host with the content, users and tokens of the registry and its own preset.
#[derive(Clone)]
pub struct ExtraHost {
    /// Its name in the ledger, and the first label of its host name.
    pub name: &'static str,
    /// Precedes the names of repositories at this host.
    pub repository_prefix: &'static str,
    /// Whether the client may send credentials to it; otherwise that breaks a rule.
    pub may_receive_credentials: bool,
    /// How it replies. Its token service is at the same host.
    pub preset: Preset,
}

impl ExtraHost {
    /// Sets the realm of its challenges, and their service unless the preset has one, once its origin is known.
    pub(in super::super) fn set_origin(&mut self, origin: &str) {
        self.preset.tokens.realm = Some(format!("{origin}{}", self.preset.tokens.path));
        self.preset.tokens.service.get_or_insert_with(|| origin.trim_start_matches("http://").to_owned());
    }
}
