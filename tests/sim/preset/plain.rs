//! The base of all presets.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::super::registry::{ApiRequest, Policy, distribution_scopes};
use super::super::reply::Reply;
use super::{
    AcceptMismatch, AccessControl, Capabilities, Delivery, LinkForm, ListRules, NTooLarge, Paging, Preset, PullRules,
    PushRules, Referrers, SeveralRanges, SignedUrl, TokenField, TokenFormat, TokenHost, TokenRules, distribution, ecr,
};

impl Preset {
    /// A registry with tokens that behaves like CNCF Distribution. The named presets change what differs.
    pub(super) fn plain(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ledger_prefix: String::new(),
            title_case_headers: false,
            headers: &[("docker-distribution-api-version", "registry/2.0")],
            early_reply: Arc::new(|_| None),
            base_reply: Arc::new(|_| Reply::new(200).body("application/json", "{}")),
            policy: Policy::Namespaces,
            access: AccessControl {
                open_to_all: false,
                public_reads_open: false,
                accepts_basic: false,
                accepts_basic_from: |_| true,
                password_from_bearer: |_| None,
                password_lifetime: None,
                required_scopes: Arc::new(distribution_scopes),
                reject: Arc::new(distribution::reject),
            },
            tokens: TokenRules {
                host: TokenHost::OwnHost,
                path: "/token".to_owned(),
                realm: None,
                service: None,
                headers: &[],
                grant: Arc::new(|request| Ok(request.permitted_scopes())),
                bad_credential_reply: Reply::error(401, "UNAUTHORIZED", "incorrect username or password"),
                post_rejection: None,
                password_grant_rejection: None,
                format: TokenFormat::Jwt,
                opaque_token: |number, _| format!("opaque-token-{number}"),
                push_creates_repository: false,
                lifetime: Duration::from_secs(300),
                expires_in: Some(300),
                jwt_lifetime: None,
                issuer: format!("auth.{host}"),
                access_parameters: &[],
                edit_claims: None,
                reply_fields: vec![TokenField::Full("token"), TokenField::Full("access_token")],
                issued_at: true,
                issues_refresh_tokens: false,
                chunked: false,
            },
            pull: PullRules {
                blobs: Delivery::Direct,
                head_served_directly: false,
                signed_url: SignedUrl::InQuery,
                second_authorization_reply: Some(ecr::one_mechanism()),
                store_ranges: SeveralRanges::Whole,
                digest_tags: false,
                accept_mismatch: AcceptMismatch::ServeStored,
                missing_manifest: Arc::new(manifest_unknown),
                digest_header: true,
                etag: true,
                rate_limit: None,
            },
            lists: ListRules {
                tags: Paging::plain(),
                unknown_repository: Arc::new(|request| name_unknown(request.route.repository().unwrap_or_default())),
                extra_tag_members: None,
                catalog: Some(Paging { default_n: Some(100), max_n: Some(1000), ..Paging::plain() }),
                referrers: Referrers::Missing,
            },
            push: PushRules::plain(),
            extra_hosts: Vec::new(),
            capabilities: Capabilities::plain(),
        }
    }
}

impl Preset {
    /// A read-only registry without credentials.
    pub(super) fn open(host: &str) -> Self {
        let mut preset = Self::plain(host);
        preset.access.open_to_all = true;
        preset.policy = Policy::Everyone;
        preset.early_reply = Arc::new(reject_writes);
        preset.capabilities = Capabilities::open();
        preset
    }
}

impl Paging {
    /// One page with all items, sorted.
    pub(super) fn plain() -> Self {
        Self {
            default_n: None,
            max_n: None,
            n_too_large: NTooLarge::Rejected(invalid_n),
            n_malformed: |n| Err(invalid_n(n)),
            unknown_last: None,
            sorted: true,
            link: LinkForm::Relative,
            chunked: false,
        }
    }
}

/// The early reply of a read-only registry: 405 for any method but GET and HEAD.
pub(super) fn reject_writes(request: &ApiRequest<'_>) -> Option<Reply> {
    let reads = matches!(request.entry.method, Method::GET | Method::HEAD);
    (!reads).then(Reply::unsupported)
}

pub(in super::super) fn name_unknown(name: &str) -> Reply {
    let detail = format!(r#"{{"name":"{name}"}}"#);
    Reply::error_detail(404, "NAME_UNKNOWN", "repository name not known to registry", &detail)
}

fn invalid_n(n: &str) -> Reply {
    let detail = format!(r#"{{"n":{}}}"#, Value::from(n));
    Reply::error_detail(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested", &detail)
}

/// The reply to a missing manifest: `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest
/// unknown","detail":{"Tag":"…"}}]}`, for a digest with `Revision` instead of `Tag`.
fn manifest_unknown(request: &ApiRequest<'_>) -> Reply {
    let reference = request.entry.path.rsplit('/').next().unwrap_or_default();
    let key = if reference.contains(':') { "Revision" } else { "Tag" };
    Reply::error_detail(404, "MANIFEST_UNKNOWN", "manifest unknown", &format!(r#"{{"{key}":"{reference}"}}"#))
}
