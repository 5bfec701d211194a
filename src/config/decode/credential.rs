//! Decodes a `credential` table, and checks that the credential fits the registry it is for.

use super::credential_source::{SOURCE, SOURCES, SourceKind};
use super::document::Entry;
use super::{cloud, table_keys};
use crate::base::host::HostPattern;
use crate::config::model::CredentialSource;
use crate::config::problem::{Fault, quoted_list};
use crate::profile::Profile;

/// The credential that a `credential` table describes.
pub(super) fn credential(entry: &Entry<'_>) -> Option<CredentialSource> {
    if !entry.is_table() {
        entry.report(Fault::new("expected a table with the key `source`").hint(format!("write `{EXAMPLE}`")));
        return None;
    }
    let Some(name) = entry.lookup(SOURCE.0, SOURCE.1) else {
        let hint = format!("write `{EXAMPLE}`, or another source: {}", names());
        entry.report(Fault::new("the key `source` is missing").hint(hint));
        return None;
    };
    let text = name.text()?;
    let Some(kind) = sources().find(|kind| kind.name == text) else {
        let hint = match table_keys::nearest(text, sources().map(|kind| kind.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the sources are {}", names()),
        };
        name.report(Fault::new("unknown credential source").hint(hint));
        return None;
    };
    (kind.decode)(&entry.clone().section(kind.keys)?)
}

/// Why a credential must not or cannot be used for the registries of `pattern`; `None` when it can.
pub(super) fn misfit(
    credential: &CredentialSource,
    pattern: &HostPattern,
    profile: Option<&'static Profile>,
) -> Option<Fault> {
    exposed_to_any_host(credential, pattern).or_else(|| foreign_to_cloud(credential, profile))
}

/// Rejects, for the pattern `*`, a credential that is not looked up by host: it would be sent to any host that a client
/// names.
pub(super) fn exposed_to_any_host(credential: &CredentialSource, pattern: &HostPattern) -> Option<Fault> {
    let is_fixed = match credential {
        CredentialSource::Password { .. }
        | CredentialSource::Identity { .. }
        | CredentialSource::Bearer { .. }
        | CredentialSource::Cloud(_) => true,
        CredentialSource::Anonymous | CredentialSource::Docker { .. } | CredentialSource::Helper { .. } => false,
    };
    (is_fixed && *pattern == HostPattern::Any).then(|| {
        Fault::new("the credential would be sent to any host that a client names").hint(
            "write `credential = { source = \"anonymous\" }`, or a source that looks credentials up by host: `docker`, \
             `helper`",
        )
    })
}

/// Rejects a cloud's credential for a registry with a profile that is not the cloud's.
fn foreign_to_cloud(credential: &CredentialSource, profile: Option<&'static Profile>) -> Option<Fault> {
    let (CredentialSource::Cloud(cloud), Some(profile)) = (credential, profile) else { return None };
    let profiles = cloud.profiles();
    (!profiles.contains(&profile.name)).then(|| {
        let what = format!(
            "the source `{}` works with its own registries only, and this registry has the profile `{}`",
            cloud.name(),
            profile.name
        );
        let choices: Vec<String> = profiles.iter().map(|name| format!("`profile = \"{name}\"`")).collect();
        let choices = choices.join(" or ");
        Fault::new(what).hint(format!("if this registry is one of them behind another host name, write {choices}"))
    })
}

/// Every kind of credential source, the clouds last.
pub(super) fn sources() -> impl Iterator<Item = &'static SourceKind> {
    SOURCES.iter().chain(cloud::SOURCES)
}

fn names() -> String {
    quoted_list(sources().map(|kind| kind.name))
}

const EXAMPLE: &str = "credential = { source = \"docker\" }";
