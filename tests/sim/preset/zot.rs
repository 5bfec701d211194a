//! Zot, section 11 of registries.md, with a password file or with the tokens of another service.

use std::sync::Arc;

use http::Method;

use super::super::registry::{ApiRequest, Denial, DenialReason, Policy, Scope};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{
    AuthKind, Capabilities, Catalog, ExpiryReply, LinkForm, Locations, MonolithicPost, NTooLarge, Paging, Preset,
    Referrers,
};

const PASSWORDS: &str = r#"Basic realm="Authorization Required""#;

impl Preset {
    /// Zot that accepts only tokens, which a service at another host issues.
    pub fn zot() -> Self {
        let mut preset = Self::zot_of("zot.test");
        preset.policy = Policy::Users;
        preset.base_reply =
            Arc::new(|request| ping(&format!("bearer realm={}", request.registry.realm(request.preset))));
        preset.access.required_scopes = Arc::new(one_action);
        preset.access.reject = Arc::new(reject_bearer);
        preset.tokens.path = "/auth".into();
        preset.tokens.service = Some("zot".to_owned());
        preset.capabilities.expiry = Some(ExpiryReply::BareUnauthorized);
        preset
    }

    /// Zot before 2.1.18, where a delete requires the action `push` (project-zot/zot#4161).
    pub fn zot_before_2_1_18() -> Self {
        let mut preset = Self::zot();
        preset.host = "old-zot.test".into();
        preset.access.required_scopes = Arc::new(|request| {
            let mut scopes = one_action(request);
            for scope in scopes.iter_mut().filter(|_| request.entry.method == Method::DELETE) {
                scope.actions = vec!["push".to_owned()];
            }
            scopes
        });
        preset
    }

    /// With a password file.
    pub fn zot_basic() -> Self {
        let mut preset = Self::zot_of("zot-basic.test");
        preset.base_reply = Arc::new(|_| ping("basic realm=Authorization Required"));
        preset.access.accepts_basic = true;
        preset.access.reject = Arc::new(reject_basic);
        preset.capabilities =
            Capabilities { auth_kind: AuthKind::Basic, anonymous_pull: false, expiry: None, ..preset.capabilities };
        preset
    }

    /// Zot with a password file and an anonymous policy for public repositories: a request without a credential for
    /// anything else gets a 403 (pkg/api/authz.go).
    pub fn zot_open_in_part() -> Self {
        let mut preset = Self::zot_basic();
        preset.host = "zot-mixed.test".into();
        preset.access.public_reads_open = true;
        preset.access.reject = Arc::new(|denial| match denial.reason {
            DenialReason::NoCredential | DenialReason::InsufficientScope => Self::zot_forbidden(),
            _ => reject_basic(denial),
        });
        preset.capabilities.anonymous_pull = true;
        preset
    }

    /// Zot's 403, which has a Basic challenge (`pkg/common/http_server.go`).
    pub fn zot_forbidden() -> Reply {
        let reply = Reply::error(403, "DENIED", "requested access to the resource is denied");
        reply.header("www-authenticate", PASSWORDS)
    }

    fn zot_of(host: &str) -> Self {
        let mut preset = Self::plain(host);
        preset.title_case_headers = true;
        let paging = Paging {
            n_malformed: |_| Err(Reply::new(400)),
            n_too_large: NTooLarge::Rejected(|_| Reply::new(400)),
            unknown_last: Some(|| Reply::new(404)),
            link: LinkForm::NFirst,
            ..Paging::plain()
        };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(paging);
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.monolithic_post = MonolithicPost::OctetStreamOnly;
        preset.capabilities = Capabilities { catalog: Catalog::AnyUser, referrers: true, ..Capabilities::plain() };
        preset
    }
}

/// The 200 of `/v2/`, which has a challenge.
fn ping(challenge: &str) -> Reply {
    Reply::new(200).body("application/json", "").header("www-authenticate", challenge)
}

/// The scope that a request requires. It has one action: a push requires `push` without `pull`. The scope of the
/// catalog is that of a repository with an empty name.
fn one_action(request: &ApiRequest<'_>) -> Vec<Scope> {
    let action = match request.entry.method {
        Method::POST | Method::PUT | Method::PATCH => "push",
        Method::DELETE => "delete",
        _ => "pull",
    };
    match request.route {
        Route::Catalog => vec![Scope::repository("", &["pull"])],
        route => route.repository().map(|name| Scope::repository(name, &[action])).into_iter().collect(),
    }
}

fn reject_bearer(denial: &Denial<'_>) -> Reply {
    match denial.reason {
        DenialReason::NoCredential | DenialReason::InsufficientScope => {
            let scope = denial.scope().unwrap_or_default();
            Reply::error(401, "UNAUTHORIZED", "authentication required")
                .header("www-authenticate", denial.bearer_challenge_without_error(Some(&scope)))
        }
        _ => Reply::error(401, "UNSUPPORTED", "The operation is unsupported."),
    }
}

fn reject_basic(denial: &Denial<'_>) -> Reply {
    match denial.reason {
        DenialReason::InsufficientScope => Preset::zot_forbidden(),
        _ => Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", PASSWORDS),
    }
}
