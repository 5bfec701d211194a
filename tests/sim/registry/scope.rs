//! `repository:library/python:pull,push`.

use std::fmt;

use http::Method;

use super::super::preset::Source;
use super::Ask;
use super::route::Route;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub kind: String,
    pub name: String,
    pub actions: Vec<String>,
}

impl Scope {
    pub fn new(kind: &str, name: &str, actions: &[&str]) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            actions: actions.iter().map(ToString::to_string).collect(),
        }
    }

    pub fn repository(name: &str, actions: &[&str]) -> Self {
        Self::new("repository", name, actions)
    }

    pub fn catalog() -> Self {
        Self::new("registry", "catalog", &["*"])
    }

    /// The name may contain `host:port`, so it lies between the first and the last colon.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<&str> = actions.split(',').filter(|action| !action.is_empty()).collect();
        Some(Self::new(kind, name, &actions))
    }

    pub fn covers(&self, needed: &Self) -> bool {
        self.kind == needed.kind
            && self.name == needed.name
            && needed.actions.iter().all(|action| self.actions.contains(action))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

/// What CNCF Distribution asks for, and with it Docker Hub: every needed scope must be in the token.
pub fn distribution_scopes(ask: &Ask<'_>) -> Vec<Scope> {
    if *ask.route == Route::Catalog {
        return vec![Scope::catalog()];
    }
    let Some(name) = ask.route.repository() else { return Vec::new() };
    let actions: &[&str] = match ask.entry.method {
        Method::POST | Method::PUT | Method::PATCH => &["pull", "push"],
        Method::DELETE => &["delete"],
        _ => &["pull"],
    };
    let mut scopes = vec![Scope::repository(name, actions)];
    let needs_source = matches!(ask.preset.push.mounts.source, Source::Scoped | Source::Challenged);
    if let (Route::Uploads { .. }, Some(source), true) = (ask.route, ask.entry.query_value("from"), needs_source) {
        scopes.push(Scope::repository(&source, &["pull"]));
    }
    scopes
}
