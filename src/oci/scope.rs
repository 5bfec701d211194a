//! Scopes: what a token request asks for and what a token grants.
//!
//! Grammar: distribution's token scope documentation, `type[(class)]:name:action[,action...]`, several of them
//! separated by blanks. Text outside the grammar is kept unchanged, because the registry that sent it expects it back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::name::RepositoryName;

/// An action on a resource. Ordered as registries usually list them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    Pull,
    Push,
    Delete,
    All,
    Other(Box<str>),
}

impl Action {
    pub fn parse(word: &str) -> Self {
        match word {
            "pull" => Self::Pull,
            "push" => Self::Push,
            "delete" => Self::Delete,
            "*" => Self::All,
            other => Self::Other(other.into()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::All => "*",
            Self::Other(word) => word,
        }
    }

    /// Whether the action changes the resource.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Push | Self::Delete | Self::All)
    }
}

/// The resource that actions apply to: `repository:library/python`, `registry:catalog`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    pub kind: Box<str>,
    pub name: Box<str>,
}

impl Resource {
    pub fn repository(name: &RepositoryName) -> Self {
        Self { kind: "repository".into(), name: name.as_str().into() }
    }

    pub fn catalog() -> Self {
        Self { kind: "registry".into(), name: "catalog".into() }
    }

    /// The resource without `prefix` at the start of its name; unchanged when nothing would remain.
    pub fn without_prefix(&self, prefix: &str) -> Self {
        let rest = self.name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        Self { kind: self.kind.clone(), name: rest.unwrap_or(&self.name).into() }
    }
}

/// A set of scopes in canonical form: two texts with the same scopes give equal sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeSet {
    resources: BTreeMap<Resource, BTreeSet<Action>>,
    /// Words outside the grammar.
    verbatim: BTreeSet<Box<str>>,
}

impl ScopeSet {
    pub fn of(resource: Resource, actions: impl IntoIterator<Item = Action>) -> Self {
        let mut set = Self::default();
        set.add(resource, actions);
        set
    }

    /// Parses the `scope` parameter of a challenge. Never fails: words outside the grammar are kept.
    pub fn parse(text: &str) -> Self {
        let mut set = Self::default();
        for word in text.split_ascii_whitespace() {
            // The name may contain `host:port`, so it extends from the first to the last colon.
            let parts = word.split_once(':').and_then(|(kind, rest)| Some((kind, rest.rsplit_once(':')?)));
            match parts {
                Some((kind, (name, actions))) if !kind.is_empty() && !name.is_empty() && !actions.is_empty() => {
                    let resource = Resource { kind: kind.into(), name: name.into() };
                    set.add(resource, actions.split(',').filter(|action| !action.is_empty()).map(Action::parse));
                }
                _ => drop(set.verbatim.insert(word.into())),
            }
        }
        set
    }

    pub fn add(&mut self, resource: Resource, actions: impl IntoIterator<Item = Action>) {
        self.resources.entry(resource).or_default().extend(actions);
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.verbatim.is_empty()
    }

    pub fn resources(&self) -> impl Iterator<Item = (&Resource, &BTreeSet<Action>)> {
        self.resources.iter()
    }

    /// Whether a token for `self` allows everything in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        other.verbatim.is_subset(&self.verbatim)
            && other.resources.iter().all(|(resource, wanted)| {
                self.resources.get(resource).is_some_and(|held| held.contains(&Action::All) || wanted.is_subset(held))
            })
    }

    /// The values of the `scope` parameters of a token request: one per resource and per word outside the grammar.
    pub fn render(&self) -> Vec<String> {
        let resources = self.resources.iter().map(|(resource, actions)| {
            let actions: Vec<_> = actions.iter().map(Action::as_str).collect();
            format!("{}:{}:{}", resource.kind, resource.name, actions.join(","))
        });
        resources.chain(self.verbatim.iter().map(ToString::to_string)).collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_in_different_order_are_equal() {
        let a = ScopeSet::parse("repository:a/b:push,pull repository:c:pull");
        let b = ScopeSet::parse("repository:c:pull  repository:a/b:pull repository:a/b:push");
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "repository:a/b:pull,push repository:c:pull");
    }

    #[test]
    fn resource_may_have_a_port_in_its_name_and_a_class_in_its_type() {
        let scopes = ScopeSet::parse("repository(plugin):host:5000/a:pull");
        let resource = Resource { kind: "repository(plugin)".into(), name: "host:5000/a".into() };
        assert_eq!(scopes.resources().collect::<Vec<_>>(), [(&resource, &BTreeSet::from([Action::Pull]))]);
    }

    #[test]
    fn scopes_outside_the_grammar_are_kept_unchanged() {
        for text in
            ["aws", "*", "repository::pull", "repository:a:", "registry:catalog:*", "repository:a:metadata_read"]
        {
            assert_eq!(ScopeSet::parse(text).to_string(), text);
        }
        assert!(ScopeSet::parse("").is_empty());
    }

    #[test]
    fn set_covers_another_when_it_has_all_its_resources_and_actions() {
        for (held, covered, not_covered) in [
            ("repository:a:pull,push", &["repository:a:pull"][..], &[][..]),
            ("repository:a:*", &["repository:a:pull,delete"], &[]),
            ("repository:a:pull", &[""], &["repository:a:pull,push", "repository:b:pull"]),
            ("repository:a:pull repository:b:pull", &["repository:b:pull"], &[]),
            ("aws", &["aws"], &["repository:a:pull"]),
            ("", &[], &["repository:a:pull"]),
        ] {
            let covers = |wanted: &str| ScopeSet::parse(held).covers(&ScopeSet::parse(wanted));
            for wanted in covered {
                assert!(covers(wanted), "{held} covers {wanted}");
            }
            for wanted in not_covered {
                assert!(!covers(wanted), "{held} does not cover {wanted}");
            }
        }
    }
}
