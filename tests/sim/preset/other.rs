//! Further hosts of a registry: a second token service, or where redirects of the API lead.

use super::Preset;

/// A host with the same content, users and tokens, and manners of its own.
#[derive(Clone)]
pub struct Other {
    /// In the ledger, and in front of the registry's host.
    pub name: &'static str,
    /// In front of the names of repositories, here only.
    pub prefix: &'static str,
    /// Whether credentials may come here.
    pub trusted: bool,
    /// The manners; its token service is at the same host.
    pub preset: Preset,
}

impl Other {
    /// Where its token service is.
    pub(in super::super) fn settle(&mut self, origin: &str) {
        self.preset.tokens.realm = Some(format!("{origin}{}", self.preset.tokens.path));
        self.preset.tokens.service.get_or_insert_with(|| origin.trim_start_matches("http://").to_owned());
    }
}
