//! The registry that the others differ from.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Ask, Policy, distribution_scopes};
use super::super::reply::Reply;
use super::{
    Delivery, Gate, LinkForm, Lists, Mint, Paging, Preset, Pull, Push, Referrers, TokenField, TokenPlace, Tokens,
    Untyped, distribution,
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
                basic: false,
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
                untyped: Untyped::Native,
                missing_manifest: Arc::new(manifest_unknown),
                digest_header: true,
                etag: true,
                rate: None,
            },
            lists: Lists {
                tags: Paging { default: None, most: None, sorted: true, link: LinkForm::Relative, chunked: false },
                catalog: Some(Paging {
                    default: Some(100),
                    most: Some(1000),
                    sorted: true,
                    link: LinkForm::Relative,
                    chunked: false,
                }),
                referrers: Referrers::Missing,
            },
            push: Push::plain(),
        }
    }
}

/// `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"…"}}]}`
fn manifest_unknown(ask: &Ask<'_>) -> Reply {
    let reference = ask.entry.path.rsplit('/').next().unwrap_or_default();
    let key = if reference.contains(':') { "Revision" } else { "Tag" };
    Reply::error_detail(404, "MANIFEST_UNKNOWN", "manifest unknown", &format!(r#"{{"{key}":"{reference}"}}"#))
}
