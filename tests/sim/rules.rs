//! Rules that every request must obey. A broken rule fails the test when the simulation ends.

use std::collections::HashSet;
use std::sync::Mutex;

use http::{HeaderMap, header};

use super::ledger::{Entry, RequestAuth, Role};
use super::{lock, query};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Authorization or Cookie at a blob store: a signed URL is the authorization, and stores reject a second one with 400.
    CredentialAtBlobStore,
    /// Authorization or Cookie at the upload host: the signed session URL is the authorization.
    CredentialAtUploadHost,
    /// Basic at the API of a registry that never accepts it: the password was exposed for nothing.
    BasicAtRegistry,
    /// A path outside the distribution API, or a name, tag or digest outside its grammar.
    UnknownPath,
    /// A read of a repository that exists only because a token with `push` was requested: a pull needs no such token.
    RepositoryCreatedByPull,
    /// Authorization at an [`ExtraHost`](super::ExtraHost) that must not receive any, after a redirect of the API.
    CredentialAfterRedirect,
    /// A bearer token that no server of this simulation issued.
    UnknownBearer,
    /// A bearer token that another registry's token service issued.
    ForeignBearer,
    /// A request without `User-Agent`: Docker Hub answers it with 403.
    NoUserAgent,
    /// A `Host` other than the server's authority: registries build realms and upload locations from the `Host`.
    ForeignHost,
    /// More than one Authorization header.
    RepeatedAuthorization,
    /// `service=` or `scope=` without a value.
    EmptyTokenParameter,
    /// containerd's `?ns=`, which only mirrors understand.
    NamespaceQuery,
    /// A header that a proxy must not forward.
    ForwardedHeader,
    /// A token request for another `service` than the challenge names.
    ForeignService,
    /// A request with a string that the test named with [`Sim::forbid_secret`](super::Sim::forbid_secret).
    ForbiddenSecretSent,
    /// A bug of the simulator itself.
    SimulatorPanic,
}

/// Hop-by-hop headers (RFC 9110, 7.6.1) and headers about the proxy's client.
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

    pub(super) fn forbid_secret(&self, secret: &str) {
        lock(&self.secrets).push(secret.to_owned());
    }

    pub(super) fn report_violation(&self, rule: Rule, entry: &Entry) {
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

    /// Checks the rules that hold for every server. `authority` is the server's, `basic` the request's decoded Basic
    /// credential.
    pub(super) fn inspect(&self, entry: &Entry, authority: &str, basic: Option<&str>) {
        let headers = &entry.headers;
        let check = |rule, broken: bool| {
            if broken {
                self.report_violation(rule, entry);
            }
        };
        let credential = entry.authorization != RequestAuth::None || headers.contains_key(header::COOKIE);
        check(Rule::CredentialAtBlobStore, entry.role == Role::BlobStore && credential);
        check(Rule::CredentialAtUploadHost, entry.role == Role::UploadHost && credential);
        check(Rule::RepeatedAuthorization, headers.get_all(header::AUTHORIZATION).iter().count() > 1);
        let is_vendor_api = matches!(entry.role, Role::VendorApi(_));
        check(Rule::UnknownBearer, entry.authorization == RequestAuth::Bearer { number: None } && !is_vendor_api);
        check(Rule::NoUserAgent, !headers.contains_key(header::USER_AGENT));
        check(Rule::ForeignHost, !names_host(headers, authority));
        for name in NOT_TO_FORWARD.iter().filter(|name| headers.contains_key(**name)) {
            self.record(Rule::ForwardedHeader, &format!("{name} in {entry}"));
        }
        check(Rule::NamespaceQuery, entry.query_value("ns").is_some());
        check(Rule::EmptyTokenParameter, has_empty_parameter(entry));
        check(Rule::ForbiddenSecretSent, self.has_forbidden_secret(entry, basic));
    }

    fn has_forbidden_secret(&self, entry: &Entry, basic: Option<&str>) -> bool {
        let values = entry.headers.values().filter_map(|value| value.to_str().ok());
        let texts: Vec<&str> = values.chain([entry.path.as_str(), entry.query.as_str()]).chain(basic).collect();
        lock(&self.secrets).iter().any(|secret| texts.iter().any(|text| text.contains(secret.as_str())))
    }
}

/// Whether a token request has an empty `service` or `scope`, in its query or in its form.
pub(super) fn has_empty_parameter(entry: &Entry) -> bool {
    entry.role == Role::TokenService
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
