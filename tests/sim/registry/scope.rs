//! Scopes of tokens: `repository:library/python:pull,push`.

use std::fmt;

use http::Method;

use super::super::preset::MountSource;
use super::super::route::Route;
use super::ApiRequest;

/// What a token grants, or a request requires, for one resource.
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

    /// Parses a scope. The name is between the first and the last colon, because it may contain `host:port`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<&str> = actions.split(',').filter(|action| !action.is_empty()).collect();
        Some(Self::new(kind, name, &actions))
    }

    /// Whether this scope grants everything that `needed` asks for.
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

/// The scopes that CNCF Distribution and Docker Hub require: the token must have every one.
pub fn distribution_scopes(request: &ApiRequest<'_>) -> Vec<Scope> {
    if *request.route == Route::Catalog {
        return vec![Scope::catalog()];
    }
    let Some(name) = request.route.repository() else { return Vec::new() };
    let actions: &[&str] = match request.entry.method {
        Method::POST | Method::PUT | Method::PATCH => &["pull", "push"],
        Method::DELETE => &["delete"],
        _ => &["pull"],
    };
    let mut scopes = vec![Scope::repository(name, actions)];
    let needs_source =
        matches!(request.preset.push.mounts.source, MountSource::ScopeRequired | MountSource::ScopeAndSourceRequired);
    if let (Route::Uploads { .. }, Some(source), true) =
        (request.route, request.entry.query_value("from"), needs_source)
    {
        scopes.push(Scope::repository(&source, &["pull"]));
    }
    scopes
}
