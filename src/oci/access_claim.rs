//! The `access` claim of a token: what the token service says that the token grants.
//!
//! Form: distribution's token specification, "Requested resource access". regpass compares the claim with what it
//! requested, to deny a write before its body is sent. Only the registry knows what a token allows, and registries
//! write grants in many ways: `*` for names and actions, names without a prefix, types such as `repository(plugin)`. So
//! a claim counts as too small only if no way to read it allows the write.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::name::RepositoryName;
use super::scope::{Action, Resource, ScopeSet};

/// The grants of a token, as its unverified claim names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessClaim {
    grants: Vec<Grant>,
    /// Whether an entry does not have the form of the specification. Such an entry may grant anything.
    has_unreadable_entries: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    resource: Resource,
    /// May be empty: some token services name a resource of which they grant nothing.
    actions: BTreeSet<Action>,
}

impl AccessClaim {
    pub fn parse(entries: &[Value]) -> Self {
        let grants: Vec<Grant> = entries.iter().filter_map(Grant::parse).collect();
        Self { has_unreadable_entries: grants.len() < entries.len(), grants }
    }

    /// Whether the registry will certainly refuse a request that needs `requested`: for one of the resources, no grant
    /// may be for it and allow what is requested.
    pub fn certainly_lacks(&self, requested: &ScopeSet) -> bool {
        !self.has_unreadable_entries
            && requested.resources().any(|(resource, actions)| !self.may_allow(requested, resource, actions))
    }

    fn may_allow(&self, requested: &ScopeSet, resource: &Resource, actions: &BTreeSet<Action>) -> bool {
        let is_requested = |grant: &Grant| requested.resources().any(|(other, _)| *other == grant.resource);
        // A claim that names a resource as it was requested names the others so, too.
        let names_as_requested = self.grants.iter().any(is_requested);
        let is_for_another = |grant: &Grant| {
            is_requested(grant)
                || grant.resource == Resource::catalog()
                || names_as_requested && grant.has_plain_name(&resource.kind)
        };
        let may_be_for = |grant: &Grant| grant.resource == *resource || !is_for_another(grant);
        self.grants.iter().any(|grant| may_be_for(grant) && grant.may_allow(actions))
    }
}

impl Grant {
    fn parse(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let resource = Resource { kind: text("type")?.into(), name: text("name")?.into() };
        let actions = entry.get("actions")?.as_array()?;
        let actions = actions.iter().map(|action| action.as_str().map(Action::parse)).collect::<Option<_>>()?;
        Some(Self { resource, actions })
    }

    /// Whether the grant is for one resource of this type: its name is no pattern.
    fn has_plain_name(&self, kind: &str) -> bool {
        *self.resource.kind == *kind && RepositoryName::parse(&self.resource.name).is_ok()
    }

    /// Whether the grant may allow `requested`. Any action but `pull` may allow a write: registries have other words
    /// for `push`, some delete with `push`, and some write without `pull`.
    fn may_allow(&self, requested: &BTreeSet<Action>) -> bool {
        let writes = requested.iter().any(Action::is_write);
        self.actions.iter().any(|action| !writes || *action != Action::Pull)
    }
}

impl fmt::Display for AccessClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut granted = ScopeSet::default();
        for grant in self.grants.iter().filter(|grant| !grant.actions.is_empty()) {
            granted.add(grant.resource.clone(), grant.actions.iter().cloned());
        }
        if granted.is_empty() { f.write_str("nothing") } else { granted.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(json: &str) -> AccessClaim {
        AccessClaim::parse(serde_json::from_str::<Value>(json).unwrap().as_array().unwrap())
    }

    /// A claim of these grants, written as scopes; `repository:a:` grants nothing of `a`.
    fn claim_of(scopes: &str) -> AccessClaim {
        let entries = scopes.split_ascii_whitespace().map(|scope| {
            let (kind, rest) = scope.split_once(':').unwrap();
            let (name, actions) = rest.rsplit_once(':').unwrap();
            let actions: Vec<&str> = actions.split(',').filter(|action| !action.is_empty()).collect();
            serde_json::json!({ "type": kind, "name": name, "actions": actions })
        });
        AccessClaim::parse(&entries.collect::<Vec<_>>())
    }

    #[test]
    fn a_claim_is_too_small_only_if_nothing_in_it_may_allow_the_write() {
        const PUSH: &str = "repository:team/app:pull,push";
        const DELETE: &str = "repository:team/app:delete";
        const MOUNT: &str = "repository:team/app:pull,push repository:team/base:pull";
        for (requested, too_small, may_do) in [
            (
                PUSH,
                &[
                    "",
                    "repository:team/app:",
                    "repository:team/app:pull",
                    "repository:app:pull",
                    "repository:*:pull",
                    "repository:team/app:pull repository:team/other:pull,push",
                    "repository:team/app:pull registry:catalog:*",
                    "registry:catalog:*",
                ][..],
                &[
                    PUSH,
                    "repository:team/app:push",
                    "repository:team/app:*",
                    "repository:team/app:pull,write",
                    "repository:team/app:pull,delete",
                    "repository:app:pull,push",
                    "repository:library/app:pull,push",
                    "repository:team/*:pull,push",
                    "repository:*:*",
                    "repository:team/app:pull repository:team/*:push",
                    "repository:team/app:pull repository:^team/.+$:push",
                    "repository(plugin):team/app:pull,push",
                    "repository:team/app:pull repository(plugin):team/app:push",
                    "project:team:*",
                    "registry:*:*",
                ][..],
            ),
            (
                DELETE,
                &["", "repository:team/app:pull", "repository:team/app:"],
                &[DELETE, "repository:team/app:*", "repository:team/app:pull,push"],
            ),
            (
                MOUNT,
                &[
                    "",
                    PUSH,
                    "repository:team/base:pull",
                    "repository:team/app:pull repository:team/base:pull,push",
                    "repository:team/app:pull,push repository:team/base:",
                    "repository:team/app:pull,push repository:team/other:pull",
                ],
                &[MOUNT, "repository:app:pull,push", "repository:team/app:pull,push repository:*:pull"],
            ),
            ("aws", &[], &["", "repository:team/app:pull"]),
            ("", &[], &[""]),
        ] {
            let requested = ScopeSet::parse(requested);
            for (claims, expected) in [(too_small, true), (may_do, false)] {
                for scopes in claims {
                    assert_eq!(claim_of(scopes).certainly_lacks(&requested), expected, "{requested}: {scopes}");
                }
            }
        }
    }

    #[test]
    fn an_unreadable_entry_may_grant_anything() {
        let requested = ScopeSet::parse("repository:team/app:pull,push");
        for json in [
            r#"["repository:team/app:pull,push"]"#,
            r#"[{"type":"repository","name":"team/app","actions":"pull,push"}]"#,
            r#"[{"type":"repository","name":"team/app","actions":[7]}]"#,
            r#"[{"type":"repository","name":"team/app"}]"#,
            r#"[{"type":"repository","name":"team/app","actions":["pull"]},{"role":"owner"}]"#,
        ] {
            assert!(!claim(json).certainly_lacks(&requested), "{json}");
        }
    }

    #[test]
    fn display_lists_what_is_granted() {
        assert_eq!(
            claim_of("repository:b:push,pull repository:a: repository:a:pull").to_string(),
            "repository:a:pull repository:b:pull,push"
        );
        assert_eq!(claim_of("repository:a:").to_string(), "nothing");
    }
}
