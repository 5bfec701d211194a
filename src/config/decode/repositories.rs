//! Decodes lists of repository patterns, and the rules that limit an action to some repositories.

use super::document::Entry;
use super::table_keys::Keys;
use crate::config::model::RepositoryRules;
use crate::config::patterns::{RepositoryPattern, RepositoryPatterns};
use crate::config::problem::Fault;
use crate::config::values;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::profile::Profile;

/// The value of `repositories` in a registry's table: one list for every action, or a table with a list per action.
pub(super) fn rules(entry: Entry<'_>, profile: Option<&'static Profile>) -> RepositoryRules {
    const ACTIONS: [Access; 3] = [Access::Pull, Access::Push, Access::Delete];
    if entry.is_list() {
        let patterns = patterns(&entry, profile);
        return RepositoryRules(ACTIONS.into_iter().map(|access| (access, patterns.clone())).collect());
    }
    let Some(section) = entry.section(REPOSITORIES) else { return RepositoryRules::default() };
    let rule = |access: Access| Some((access, patterns(&section.get(access.as_str())?, profile)));
    RepositoryRules(ACTIONS.into_iter().filter_map(rule).collect())
}

/// A list of repository patterns. A pattern that matches no name of the registry is reported.
pub(super) fn patterns(entry: &Entry<'_>, profile: Option<&'static Profile>) -> RepositoryPatterns {
    // Patterns are matched against the registry's own names. Where the profile puts names of one component into a
    // namespace (`python` is `library/python`), every name has at least two components.
    let mapped = profile.and_then(|profile| Some(profile.full_repository_name(RepositoryName::parse("short").ok()?)));
    let namespace = mapped.as_ref().and_then(|name| name.as_str().strip_suffix("/short"));
    let pattern = |text: &str| -> Result<RepositoryPattern, Fault> {
        let pattern = values::repository_pattern(text)?;
        match namespace {
            Some(namespace) if !text.contains('/') && text != "**" => {
                let what = format!(
                    "the pattern matches nothing: this registry keeps names of one component below `{namespace}/`"
                );
                Err(Fault::new(what).hint(format!("write `\"{namespace}/{pattern}\"` or `\"{pattern}/**\"`")))
            }
            _ => Ok(pattern),
        }
    };
    RepositoryPatterns::new(entry.parse_list(pattern).unwrap_or_default())
}

pub(super) const REPOSITORIES: Keys =
    &[("pull", "[\"acme/**\"]"), ("push", "[\"acme/**\"]"), ("delete", "[\"acme/**\"]")];
