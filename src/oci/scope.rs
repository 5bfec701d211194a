//! Scopes: what a token is asked for, and what it turned out to grant.
//!
//! Grammar: distribution's token scope documentation, `type[(class)]:name:action[,action...]`, several of them
//! separated by blanks. What does not fit is kept word for word, because the registry that sent it wants it back so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::name::RepositoryName;

/// One word of what may be done to a resource. Ordered as registries usually write them.
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

    /// Whether it allows changing something.
    pub fn writes(&self) -> bool {
        matches!(self, Self::Push | Self::Delete | Self::All)
    }
}

/// What actions apply to: `repository:library/python`, `registry:catalog`.
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

    /// The same without `head` in front of its name, where that leaves a name.
    pub fn without(&self, head: &str) -> Self {
        let rest = self.name.strip_prefix(head).filter(|rest| !rest.is_empty());
        Self { kind: self.kind.clone(), name: rest.unwrap_or(&self.name).into() }
    }
}

/// A canonical set of scopes: equal sets are equal however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeSet {
    resources: BTreeMap<Resource, BTreeSet<Action>>,
    verbatim: BTreeSet<Box<str>>,
}

impl ScopeSet {
    pub fn of(resource: Resource, actions: impl IntoIterator<Item = Action>) -> Self {
        let mut set = Self::default();
        set.add(resource, actions);
        set
    }

    /// Parses the `scope` parameter of a challenge. Never fails: strange words are kept.
    pub fn parse(text: &str) -> Self {
        let mut set = Self::default();
        for word in text.split_ascii_whitespace() {
            // The name may hold `host:port`, so it lies between the first and the last colon.
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

    /// Whether whoever may do `self` may do everything in `other`.
    pub fn covers(&self, other: &Self) -> bool {
        other.verbatim.is_subset(&self.verbatim)
            && other.resources.iter().all(|(resource, wanted)| {
                self.resources.get(resource).is_some_and(|held| held.contains(&Action::All) || wanted.is_subset(held))
            })
    }

    /// One text per resource, as each `scope` parameter of a token request wants it.
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
    fn equal_scopes_are_equal_however_written() {
        let a = ScopeSet::parse("repository:a/b:push,pull repository:c:pull");
        let b = ScopeSet::parse("repository:c:pull  repository:a/b:pull repository:a/b:push");
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "repository:a/b:pull,push repository:c:pull");
    }

    #[test]
    fn names_may_hold_ports_and_kinds_may_hold_classes() {
        let scopes = ScopeSet::parse("repository(plugin):host:5000/a:pull");
        let resource = Resource { kind: "repository(plugin)".into(), name: "host:5000/a".into() };
        assert_eq!(scopes.resources().collect::<Vec<_>>(), [(&resource, &BTreeSet::from([Action::Pull]))]);
    }

    #[test]
    fn unknown_shapes_survive() {
        for text in
            ["aws", "*", "repository::pull", "repository:a:", "registry:catalog:*", "repository:a:metadata_read"]
        {
            assert_eq!(ScopeSet::parse(text).to_string(), text);
        }
        assert!(ScopeSet::parse("").is_empty());
    }

    #[test]
    fn covering_follows_resources_and_actions() {
        for (held, wanted, covers) in [
            ("repository:a:pull,push", "repository:a:pull", true),
            ("repository:a:*", "repository:a:pull,delete", true),
            ("repository:a:pull", "repository:a:pull,push", false),
            ("repository:a:pull", "repository:b:pull", false),
            ("repository:a:pull repository:b:pull", "repository:b:pull", true),
            ("repository:a:pull", "", true),
            ("", "repository:a:pull", false),
            ("aws", "aws", true),
            ("aws", "repository:a:pull", false),
        ] {
            assert_eq!(ScopeSet::parse(held).covers(&ScopeSet::parse(wanted)), covers, "{held} / {wanted}");
        }
    }
}
