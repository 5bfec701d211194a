//! The registry that the others differ from.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::registry::{Ask, Policy, distribution_scopes};
use super::super::reply::Reply;
use super::{
    Abilities, Delivery, Gate, LinkForm, Lists, Mint, Paging, Preset, Pull, Push, Referrers, Signed, TokenField,
    TokenPlace, Tokens, TooMany, Untyped, distribution, ecr,
};

impl Preset {
    /// A plain registry with tokens, on which the named ones build: CNCF Distribution's manners.
    pub(super) fn plain(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            label: String::new(),
            title_case: false,
            headers: &[("docker-distribution-api-version", "registry/2.0")],
            oddities: Arc::new(|_| None),
            base: Arc::new(|_| Reply::new(200).body("application/json", "{}")),
            policy: Policy::Namespaces,
            gate: Gate {
                open: false,
                open_to_public: false,
                basic: false,
                basic_for: |_| true,
                password_in_bearer: |_| None,
                password_lifetime: None,
                scopes: Arc::new(distribution_scopes),
                refuse: Arc::new(distribution::refuse),
            },
            tokens: Tokens {
                place: TokenPlace::OwnOrigin,
                path: "/token".to_owned(),
                realm: None,
                service: None,
                headers: &[],
                grant: Arc::new(|ask| Ok(ask.reduced())),
                wrong_login: Reply::error(401, "UNAUTHORIZED", "incorrect username or password"),
                post_refused: None,
                password_refused: None,
                mint: Mint::Jwt,
                opaque: |number, _| format!("opaque-token-{number}"),
                push_creates: false,
                lifetime: Duration::from_secs(300),
                expires_in: Some(300),
                jwt_lifetime: None,
                issuer: format!("auth.{host}"),
                access_parameters: &[],
                claims: None,
                fields: vec![TokenField::Full("token"), TokenField::Full("access_token")],
                issued_at: true,
                refresh: false,
                chunked: false,
            },
            pull: Pull {
                blobs: Delivery::Direct,
                heads_stay: false,
                signed: Signed::InQuery,
                doubly_authorized: Some(ecr::one_mechanism()),
                digest_tags: false,
                untyped: Untyped::Native,
                missing_manifest: Arc::new(manifest_unknown),
                digest_header: true,
                etag: true,
                rate: None,
            },
            lists: Lists {
                tags: Paging::plain(),
                unknown: Arc::new(|ask| name_unknown(ask.route.repository().unwrap_or_default())),
                tags_more: None,
                catalog: Some(Paging { default: Some(100), most: Some(1000), ..Paging::plain() }),
                referrers: Referrers::Missing,
            },
            push: Push::plain(),
            others: Vec::new(),
            can: Abilities::plain(),
        }
    }
}

impl Paging {
    /// All at once, sorted.
    pub(super) fn plain() -> Self {
        Self {
            default: None,
            most: None,
            too_many: TooMany::Refused(bad_n),
            malformed: |n| Err(bad_n(n)),
            unknown_last: None,
            sorted: true,
            link: LinkForm::Relative,
            chunked: false,
        }
    }
}

pub(in super::super) fn name_unknown(name: &str) -> Reply {
    let detail = format!(r#"{{"name":"{name}"}}"#);
    Reply::error_detail(404, "NAME_UNKNOWN", "repository name not known to registry", &detail)
}

fn bad_n(asked: &str) -> Reply {
    let detail = format!(r#"{{"n":{}}}"#, Value::from(asked));
    Reply::error_detail(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested", &detail)
}

/// `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"…"}}]}`
fn manifest_unknown(ask: &Ask<'_>) -> Reply {
    let reference = ask.entry.path.rsplit('/').next().unwrap_or_default();
    let key = if reference.contains(':') { "Revision" } else { "Tag" };
    Reply::error_detail(404, "MANIFEST_UNKNOWN", "manifest unknown", &format!(r#"{{"{key}":"{reference}"}}"#))
}
