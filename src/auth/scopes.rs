//! The scopes to request a token for: which scopes of a challenge are trusted, and what earlier challenges corrected.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::ask::{Ask, AskKey};
use crate::oci::challenge::Challenge;
use crate::oci::name::RepositoryName;
use crate::oci::operation::Access;
use crate::oci::scope::{Resource, ScopeSet};

/// The scopes to request after a response with these challenges. `None` if they name no scope, or one that neither
/// names the requested repository nor changes the scopes.
pub(super) fn challenged_scopes(ask: &Ask, challenges: &[Challenge]) -> Option<ScopeSet> {
    let scope = challenges.iter().filter(|one| one.scheme == "bearer").find_map(|one| one.param("scope"))?;
    let wanted = ScopeSet::parse(scope);
    let trusted = trusted_scopes(&ask.scopes, &wanted, ask.repository.as_ref(), ask.access);
    let is_named = |name: &RepositoryName| has_resource_named(&wanted, name.as_str());
    (trusted != ask.scopes || ask.repository.as_ref().is_some_and(is_named)).then_some(trusted)
}

/// The scopes to request after a challenge: the computed ones, corrected by the challenge's own as far as it is
/// trusted.
///
/// A challenge's scope is trusted only if it names the requested repository (GHCR answers with a placeholder, ECR
/// Public with `aws`, Gitea with `*`), or the end of its name: Artifactory omits the first component, the
/// repository key, and then wants the short name. A read never requests write actions: Quay names `pull,push` for a
/// pull, and a token with `push` creates repositories there.
fn trusted_scopes(
    computed: &ScopeSet,
    challenged: &ScopeSet,
    repository: Option<&RepositoryName>,
    access: Access,
) -> ScopeSet {
    let Some(name) = repository.map(RepositoryName::as_str) else { return computed.clone() };
    let own = computed.resources().find(|(resource, _)| *resource.name == *name);
    let Some((own_resource, own_actions)) = own else { return computed.clone() };
    let is_repository = |resource: &Resource| resource.kind.starts_with("repository");
    let is_named = |resource: &Resource| is_repository(resource) && *resource.name == *name;
    let omitted_prefix =
        |resource: &Resource| name.strip_suffix(&*resource.name).filter(|prefix| prefix.ends_with('/'));
    let is_end_of_name = |resource: &Resource| is_repository(resource) && omitted_prefix(resource).is_some();
    let named = challenged.resources().find(|(resource, _)| is_named(resource));
    let Some((resource, actions)) =
        named.or_else(|| challenged.resources().find(|(resource, _)| is_end_of_name(resource)))
    else {
        return computed.clone();
    };
    let further = actions.iter().filter(|action| access != Access::Pull || !action.is_write());
    let mut trusted = ScopeSet::of(resource.clone(), own_actions.iter().chain(further).cloned());
    for (other, actions) in computed.resources().filter(|(other, _)| *other != own_resource) {
        trusted.add(other.without_prefix(omitted_prefix(resource).unwrap_or_default()), actions.iter().cloned());
    }
    trusted
}

/// The scopes of one registry that differ from the computed ones, as its challenges have shown.
#[derive(Debug, Default)]
pub(super) struct ScopeCorrections(Mutex<Corrected>);

#[derive(Debug, Default)]
struct Corrected {
    scopes: HashMap<AskKey, ScopeSet>,
    /// First components of repository names that the registry's scopes omit, such as Artifactory's repository keys.
    omitted_prefixes: HashSet<Box<str>>,
}

impl ScopeCorrections {
    /// The scopes to request: those recorded for this request, else those inferred from repositories whose names begin
    /// with the same component, else the computed ones.
    pub(super) fn scopes_for(&self, ask: &Ask) -> ScopeSet {
        let corrected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = ask.applicable_keys().find_map(|key| corrected.scopes.get(&key).cloned());
        recorded.or_else(|| corrected.inferred(ask)).unwrap_or_else(|| ask.scopes.clone())
    }

    /// Records the trusted scopes of a challenge, also where they confirm the computed ones.
    pub(super) fn record(&self, ask: &Ask, trusted: ScopeSet) {
        let mut corrected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        corrected.make_room();
        if let Some(prefix) = first_part(ask) {
            if Some(&trusted) == without_prefix(prefix, ask).as_ref() {
                corrected.omitted_prefixes.insert(prefix.into());
            } else if names_repository(&trusted, ask) {
                corrected.omitted_prefixes.remove(prefix);
            }
        }
        if trusted == ask.scopes && corrected.inferred(ask).is_none() {
            corrected.scopes.remove(&ask.key());
        } else {
            corrected.scopes.insert(ask.key(), trusted);
        }
    }

    /// Replaces scopes that were only inferred from other repositories with the computed ones. Returns whether the
    /// scopes for this request were inferred.
    pub(super) fn revert_inferred_scopes(&self, ask: &Ask) -> bool {
        let mut corrected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recorded = ask.applicable_keys().any(|key| corrected.scopes.contains_key(&key));
        let is_inferred = !is_recorded && corrected.inferred(ask).is_some();
        if is_inferred {
            corrected.make_room();
            corrected.scopes.insert(ask.key(), ask.scopes.clone());
        }
        is_inferred
    }
}

impl Corrected {
    fn make_room(&mut self) {
        if self.scopes.len() >= MAX_ENTRIES || self.omitted_prefixes.len() >= MAX_ENTRIES {
            *self = Self::default();
        }
    }

    fn inferred(&self, ask: &Ask) -> Option<ScopeSet> {
        let prefix = first_part(ask).filter(|prefix| self.omitted_prefixes.contains(*prefix))?;
        without_prefix(prefix, ask)
    }
}

/// Whether the scopes name the requested repository in full.
fn names_repository(scopes: &ScopeSet, ask: &Ask) -> bool {
    ask.repository.as_ref().is_some_and(|name| has_resource_named(scopes, name.as_str()))
}

fn has_resource_named(scopes: &ScopeSet, name: &str) -> bool {
    scopes.resources().any(|(resource, _)| *resource.name == *name)
}

/// The first component of the repository's name, if it has several.
fn first_part(ask: &Ask) -> Option<&str> {
    ask.repository.as_ref()?.as_str().split_once('/').map(|(first, _)| first)
}

/// The computed scopes with `prefix` removed from the names of repositories below it. `None` if the requested
/// repository is not below it.
fn without_prefix(prefix: &str, ask: &Ask) -> Option<ScopeSet> {
    let prefix = format!("{prefix}/");
    ask.repository.as_ref()?.as_str().strip_prefix(&prefix)?;
    let mut scopes = ScopeSet::default();
    for (resource, actions) in ask.scopes.resources() {
        scopes.add(resource.without_prefix(&prefix), actions.iter().cloned());
    }
    Some(scopes)
}

const MAX_ENTRIES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const PULL: &str = "repository:team/app:pull";
    const PUSH: &str = "repository:team/app:pull,push";

    #[test]
    fn only_a_challenge_that_names_the_repository_is_trusted() {
        let name = RepositoryName::parse("team/app").unwrap();
        for (computed, challenged, access, trusted) in [
            (PULL, PULL, Access::Pull, PULL),
            (PULL, "repository:user/image:pull", Access::Pull, PULL),
            (PULL, "repository:other/team/app:pull", Access::Pull, PULL),
            (PULL, "aws", Access::Pull, PULL),
            (PULL, "", Access::Pull, PULL),
            (PULL, "registry:catalog:*", Access::Pull, PULL),
            (PULL, "repository:team/app:metadata_read", Access::Pull, "repository:team/app:pull,metadata_read"),
            (PULL, PUSH, Access::Pull, PULL),
            (PULL, "repository:app:pull", Access::Pull, "repository:app:pull"),
            (
                "repository:team/app:pull,push repository:team/base:pull",
                "repository:app:pull,push repository:base:pull",
                Access::Push,
                "repository:app:pull,push repository:base:pull",
            ),
            (
                "repository:team/app:pull,push repository:app:pull",
                "repository:app:pull repository:team/app:pull,push",
                Access::Push,
                "repository:app:pull repository:team/app:pull,push",
            ),
            (PULL, "repository(plugin):team/app:pull", Access::Pull, "repository(plugin):team/app:pull"),
            (PUSH, "repository:team/app:push", Access::Push, PUSH),
            ("repository:team/app:delete", PUSH, Access::Delete, "repository:team/app:pull,push,delete"),
        ] {
            let got = trusted_scopes(&ScopeSet::parse(computed), &ScopeSet::parse(challenged), Some(&name), access);
            assert_eq!(got.to_string(), trusted, "computed {computed}, challenged {challenged}");
        }
    }
}
