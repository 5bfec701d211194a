//! CNCF Distribution (the `registry` image), section 14 of registries.md.

use std::sync::Arc;

use super::super::registry::{ApiRequest, Counter, Denial, Policy, Scope};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{AcceptMismatch, AuthKind, Capabilities, Catalog, DeleteRules, MonolithicPost, Preset};

/// How a registry of CNCF Distribution authenticates clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    Open,
    Htpasswd,
    Token,
}

impl Preset {
    pub fn distribution(mode: AuthMode) -> Self {
        let mut preset = Self::plain("distribution.test");
        preset.title_case_headers = true;
        preset.early_reply = Arc::new(strict_slash);
        preset.policy = Policy::Users;
        preset.pull.accept_mismatch = AcceptMismatch::NotFound;
        preset.push.monolithic_post = MonolithicPost::Ignored;
        match mode {
            AuthMode::Open => {
                preset.access.open_to_all = true;
                preset.policy = Policy::Everyone;
                preset.capabilities = Capabilities {
                    credential: None,
                    private_repository: "acme/public",
                    auth_kind: AuthKind::None,
                    catalog: Catalog::Everyone,
                    expiry: None,
                    ..preset.capabilities
                };
            }
            AuthMode::Htpasswd => {
                preset.access.accepts_basic = true;
                preset.access.reject = Arc::new(reject_basic);
                preset.capabilities = Capabilities {
                    auth_kind: AuthKind::Basic,
                    anonymous_pull: false,
                    expiry: None,
                    ..preset.capabilities
                };
            }
            AuthMode::Token => {
                preset.tokens.path = "/auth/token".into();
                preset.tokens.service = Some("Docker registry".to_owned());
            }
        }
        preset
    }

    /// Version 2, as docker-registry 2.8.2 was observed on 2026-11-29: it deletes manifests by digest only, and appends
    /// every chunk of an upload, whatever its Content-Range says.
    #[must_use]
    pub fn version_2(self) -> Self {
        let rejection = Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        let mut preset = self.with_push_rules(|push| {
            push.deletes.tags = Some(rejection);
            push.patches.ignores_range = true;
        });
        preset.capabilities.delete_tags = false;
        preset
    }

    /// Rejects all deletes, as with `storage.delete.enabled` off, the default.
    #[must_use]
    pub fn without_delete(self) -> Self {
        let rejection = Reply::unsupported();
        let mut preset = self.with_push_rules(|push| push.deletes = DeleteRules::rejected(&rejection));
        preset.capabilities = preset.capabilities.undeletable();
        preset
    }
}

fn strict_slash(request: &ApiRequest<'_>) -> Option<Reply> {
    (*request.route == Route::BareBase).then(|| Reply::redirect(301, "/v2/"))
}

fn reject_basic(denial: &Denial<'_>) -> Reply {
    unauthorized(&denial.required).header("www-authenticate", r#"Basic realm="Registry Realm""#)
}

pub(super) fn reject(denial: &Denial<'_>) -> Reply {
    let scopes: Vec<String> = denial.required.iter().map(|scope| alternate_order(denial, scope).to_string()).collect();
    let scope = (!scopes.is_empty()).then(|| scopes.join(" "));
    unauthorized(&denial.required).header("www-authenticate", denial.bearer_challenge(scope.as_deref()))
}

fn unauthorized(required: &[Scope]) -> Reply {
    Reply::error_detail(401, "UNAUTHORIZED", "authentication required", &detail(required))
}

/// Reverses the actions of every other scope in challenges: Distribution prints a Go map, whose order is random, and a
/// test should see both orders.
fn alternate_order(denial: &Denial<'_>, scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    if denial.request.registry.next_number(Counter::Challenges).is_multiple_of(2) {
        scope.actions.reverse();
    }
    scope
}

/// `[{"Type":"repository","Class":"","Name":"library/python","Action":"pull"}]`, or `null` if no scope is required.
pub(super) fn detail(required: &[Scope]) -> String {
    let records: Vec<String> = required
        .iter()
        .flat_map(|scope| scope.actions.iter().map(move |action| (scope, action)))
        .map(|(Scope { kind, name, .. }, action)| {
            format!(r#"{{"Type":"{kind}","Class":"","Name":"{name}","Action":"{action}"}}"#)
        })
        .collect();
    if records.is_empty() { "null".to_owned() } else { format!("[{}]", records.join(",")) }
}
