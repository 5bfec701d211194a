//! Zot, section 11 of registries.md, with passwords or with tokens of another service.

use std::sync::Arc;

use http::Method;

use super::super::registry::{Ask, Denial, Policy, Route, Scope, Why};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Expiry, LinkForm, Locations, Paging, Preset, Referrers, Shown, SinglePost, TooMany};

const PASSWORDS: &str = r#"Basic realm="Authorization Required""#;

impl Preset {
    /// Tokens of a service at another host.
    pub fn zot() -> Self {
        let mut preset = Self::zot_of("zot.test");
        preset.policy = Policy::Users;
        preset.base = Arc::new(|ask| ping(&format!("bearer realm={}", ask.registry.realm(ask.preset))));
        preset.gate.scopes = Arc::new(one_action);
        preset.gate.refuse = Arc::new(refuse_bearer);
        preset.tokens.path = "/auth".into();
        preset.tokens.service = Some("zot".to_owned());
        preset.can.expiry = Some(Expiry::BareUnauthorized);
        preset
    }

    /// A password file.
    pub fn zot_basic() -> Self {
        let mut preset = Self::zot_of("zot-basic.test");
        preset.base = Arc::new(|_| ping("basic realm=Authorization Required"));
        preset.gate.basic = true;
        preset.gate.refuse = Arc::new(refuse_basic);
        preset.can = Abilities { shown: Shown::Basic, anonymous: false, expiry: None, ..preset.can };
        preset
    }

    /// A password file, and an anonymous policy for what is public: whoever comes without a login is nobody, and is
    /// forbidden the rest (pkg/api/authz.go).
    pub fn zot_open_in_part() -> Self {
        let mut preset = Self::zot_basic();
        preset.host = "zot-mixed.test".into();
        preset.gate.open_to_public = true;
        preset.gate.refuse = Arc::new(|denial| match denial.why {
            Why::NoCredential | Why::InsufficientScope => Self::zot_forbidden(),
            _ => refuse_basic(denial),
        });
        preset.can.anonymous = true;
        preset
    }

    /// The 403, which carries a challenge all the same (`pkg/common/http_server.go`).
    pub fn zot_forbidden() -> Reply {
        let reply = Reply::error(403, "DENIED", "requested access to the resource is denied");
        reply.header("www-authenticate", PASSWORDS)
    }

    fn zot_of(host: &str) -> Self {
        let mut preset = Self::plain(host);
        preset.title_case = true;
        let paging = Paging {
            malformed: |_| Err(Reply::new(400)),
            too_many: TooMany::Refused(|_| Reply::new(400)),
            unknown_last: Some(|| Reply::new(404)),
            link: LinkForm::LeadsWithN,
            ..Paging::plain()
        };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(paging);
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.single_post = SinglePost::OctetStream;
        preset.can = Abilities { catalog: Catalog::Login, referrers: true, ..Abilities::plain() };
        preset
    }
}

/// The 200 carries a challenge all the same.
fn ping(challenge: &str) -> Reply {
    Reply::new(200).body("application/json", "").header("www-authenticate", challenge)
}

/// `push` without `pull`, and a catalog that is a repository without a name.
fn one_action(ask: &Ask<'_>) -> Vec<Scope> {
    let action = match ask.entry.method {
        Method::POST | Method::PUT | Method::PATCH => "push",
        Method::DELETE => "delete",
        _ => "pull",
    };
    match ask.route {
        Route::Catalog => vec![Scope::repository("", &["pull"])],
        route => route.repository().map(|name| Scope::repository(name, &[action])).into_iter().collect(),
    }
}

fn refuse_bearer(denial: &Denial<'_>) -> Reply {
    match denial.why {
        Why::NoCredential | Why::InsufficientScope => {
            let (realm, service) = (&denial.realm, &denial.service);
            let scope = denial.scope().unwrap_or_default();
            Reply::error(401, "UNAUTHORIZED", "authentication required")
                .header("www-authenticate", format!(r#"Bearer realm="{realm}",service="{service}",scope="{scope}""#))
        }
        _ => Reply::error(401, "UNSUPPORTED", "The operation is unsupported."),
    }
}

fn refuse_basic(denial: &Denial<'_>) -> Reply {
    match denial.why {
        Why::InsufficientScope => Preset::zot_forbidden(),
        _ => Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", PASSWORDS),
    }
}
