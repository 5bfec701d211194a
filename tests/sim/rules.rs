//! What must never happen on the wire. A broken rule fails the test when the simulation ends.

use std::collections::HashSet;
use std::sync::Mutex;

use http::{HeaderMap, header};

use super::ledger::{AuthSeen, Entry, Role};
use super::{lock, query};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Authorization or Cookie at a blob store: signed URLs carry their own authority, and stores answer 400 to a second.
    CredentialAtBlobStore,
    /// Authorization or Cookie at the other host of an upload: its address is the authority.
    CredentialAtUploadHost,
    /// Basic at the API of a registry that never takes it: the password travelled for nothing.
    BasicAtRegistry,
    /// A path outside the distribution API, or a name, tag or digest outside its grammar.
    UnknownPath,
    /// A repository that a token for `push` made, and that was then read: the token was for a pull.
    MadeByAsking,
    /// Authorization at another host that redirects of the API lead to.
    CredentialAfterRedirect,
    /// A bearer token that no server of this simulation issued.
    UnknownBearer,
    /// A bearer token that another registry's token service issued.
    ForeignBearer,
    /// Docker Hub answers 403 to a client without one.
    NoUserAgent,
    /// A Host that is not the server's own authority: realms and upload locations are built from it.
    ForeignHost,
    RepeatedAuthorization,
    /// `service=` or `scope=` with nothing behind it.
    EmptyTokenParameter,
    /// containerd's `?ns=`, which is for mirrors only.
    NamespaceQuery,
    /// A header that ends at the next hop, or that belongs to the proxy's client.
    ForwardedHeader,
    /// Stores answer several ranges with `multipart/byteranges`, whose boundaries clients cannot parse.
    MultiRange,
    /// A `service` other than the one the challenge names.
    ForeignService,
    /// A string the test named in [`Sim::never_see`](super::Sim::never_see).
    SecretSeen,
    /// A bug of the simulator itself.
    Panic,
}

/// Ends at the next hop (RFC 9110, 7.6.1), or speaks of the proxy's client.
const NOT_TO_FORWARD: [&str; 14] = [
    "connection",
    "cookie",
    "forwarded",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "trailer",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

#[derive(Default)]
pub(super) struct Rules {
    allowed: Mutex<HashSet<Rule>>,
    secrets: Mutex<Vec<String>>,
    violations: Mutex<Vec<String>>,
}

impl Rules {
    pub(super) fn allow(&self, rule: Rule) {
        lock(&self.allowed).insert(rule);
    }

    pub(super) fn never_see(&self, secret: &str) {
        lock(&self.secrets).push(secret.to_owned());
    }

    pub(super) fn broken(&self, rule: Rule, entry: &Entry) {
        self.record(rule, &entry.to_string());
    }

    fn record(&self, rule: Rule, what: &str) {
        if !lock(&self.allowed).contains(&rule) {
            lock(&self.violations).push(format!("{rule:?}: {what}"));
        }
    }

    pub(super) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.violations))
    }

    /// The rules that hold for every server; `basic` is the decoded Basic credential.
    pub(super) fn inspect(&self, entry: &Entry, authority: &str, basic: Option<&str>) {
        let headers = &entry.headers;
        let check = |rule, broken: bool| {
            if broken {
                self.broken(rule, entry);
            }
        };
        let credential = entry.authorization != AuthSeen::None || headers.contains_key(header::COOKIE);
        check(Rule::CredentialAtBlobStore, entry.role == Role::Blobs && credential);
        check(Rule::CredentialAtUploadHost, entry.role == Role::Uploads && credential);
        check(Rule::RepeatedAuthorization, headers.get_all(header::AUTHORIZATION).iter().count() > 1);
        check(Rule::UnknownBearer, entry.authorization == AuthSeen::Bearer { id: None });
        check(Rule::NoUserAgent, !headers.contains_key(header::USER_AGENT));
        check(Rule::ForeignHost, !names_host(headers, authority));
        for name in NOT_TO_FORWARD.iter().filter(|name| headers.contains_key(**name)) {
            self.record(Rule::ForwardedHeader, &format!("{name} in {entry}"));
        }
        check(Rule::MultiRange, text(headers, header::RANGE).is_some_and(|range| range.contains(',')));
        check(Rule::NamespaceQuery, entry.query_value("ns").is_some());
        check(Rule::EmptyTokenParameter, has_empty_parameter(entry));
        check(Rule::SecretSeen, self.shows_secret(entry, basic));
    }

    fn shows_secret(&self, entry: &Entry, basic: Option<&str>) -> bool {
        let values = entry.headers.values().filter_map(|value| value.to_str().ok());
        let seen: Vec<&str> = values.chain([entry.path.as_str(), entry.query.as_str()]).chain(basic).collect();
        lock(&self.secrets).iter().any(|secret| seen.iter().any(|text| text.contains(secret.as_str())))
    }
}

/// The empty parameters of a token call, whether in its query or in its form.
pub(super) fn has_empty_parameter(entry: &Entry) -> bool {
    entry.role == Role::Token
        && query::pairs(&entry.query)
            .iter()
            .any(|(key, value)| matches!(key.as_str(), "service" | "scope") && value.is_empty())
}

fn names_host(headers: &HeaderMap, authority: &str) -> bool {
    let mut lines = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or_default());
    let names = |host: &str| host == authority || host.strip_suffix(":80") == Some(authority);
    lines.next().is_some_and(names) && lines.next().is_none()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
