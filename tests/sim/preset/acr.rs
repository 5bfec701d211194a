//! Azure Container Registry, section 4 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{ApiRequest, Denial, DenialReason, Policy, Scope, distribution_scopes};
use super::super::reply::Reply;
use super::super::route::Route;
use super::distribution::detail;
use super::{
    Capabilities, Catalog, ContentLength, Delivery, Limit, LinkForm, Locations, Paging, Preset, Referrers, TokenHost,
};

const HEADERS: &[(&str, &str)] = &[
    ("docker-distribution-api-version", "registry/2.0"),
    ("server", "openresty"),
    ("access-control-expose-headers", "Docker-Content-Digest"),
    ("access-control-expose-headers", "WWW-Authenticate"),
    ("access-control-expose-headers", "Link"),
    ("access-control-expose-headers", "X-Ms-Correlation-Request-Id"),
    ("x-ms-correlation-request-id", "c0a4d8a0-2b1e-4c57-9f0e-5a2f4f0d7f11"),
];
/// The admin user has the registry's name.
const ADMIN: &str = "acr";

impl Preset {
    pub fn acr() -> Self {
        let mut preset = Self::plain("acr.test");
        preset.title_case_headers = true;
        preset.headers = HEADERS;
        preset.policy = Policy::Users;
        preset.access.accepts_basic = true;
        preset.access.accepts_basic_from = accepts_basic_from;
        preset.access.required_scopes = Arc::new(scopes);
        preset.access.reject = Arc::new(reject);
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/oauth2/token".into();
        preset.tokens.bad_credential_reply = unauthorized(&[]);
        // ACR rejects `grant_type=password` (Azure/acr#104).
        preset.tokens.password_grant_rejection = Some(Reply::new(400));
        preset.tokens.lifetime = Duration::from_secs(4500);
        preset.tokens.issuer = "Azure Container Registry".into();
        preset.tokens.reply_with_only("access_token");
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(1200));
        preset.pull.head_served_directly = true;
        // The reply of Azure's blob store to a signed request with Authorization (Azure/acr#217).
        let malformed =
            "Authentication information is not given in the correct format. Check the value of Authorization header.";
        preset.pull.second_authorization_reply = Some(
            Reply::new(400)
                .xml(&format!("<Error><Code>InvalidAuthenticationInfo</Code><Message>{malformed}</Message></Error>")),
        );
        let paging = Paging { default_n: Some(100), link: LinkForm::OrderBy, ..Paging::plain() };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(paging);
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.location_parameters = &[("_nouploadcache", "false")];
        // The limit: goharbor/harbor#23015 and #23016; nginx in front of the registry counts megabytes of 1024 × 1024
        // bytes.
        let too_large = Reply::new(413).text("413 Request Entity Too Large - AzureContainerRegistry");
        preset.push.put_limit = Some(Limit::new(20 << 20, too_large));
        // docker's chunked PATCH without a Content-Range is accepted, as far as is known.
        preset.push.patches.content_length = ContentLength::RequiredWithRange;
        // The reply to a malformed Content-Range: dotnet/sdk-container-builds#258.
        preset.push.patches.malformed_range_rejection =
            Reply::error(400, "BLOB_UPLOAD_INVALID", "the Content-Range header format is invalid");
        preset.capabilities = Capabilities {
            credential: Some((ADMIN, "password")),
            catalog: Catalog::AnyUser,
            referrers: true,
            ..Capabilities::plain()
        };
        preset
    }

    /// The 429 when the quota of reads or of writes is used up (microsoft/containerregistry#108).
    pub fn acr_throttled() -> Reply {
        let message =
            "Too many requests. Please visit https://aka.ms/acr/skus#sku-feature-matrix for more information.";
        Reply::error(429, "TOOMANYREQUESTS", message)
    }
}

/// Listing tags requires `metadata_read` instead of `pull`.
fn scopes(request: &ApiRequest<'_>) -> Vec<Scope> {
    match request.route {
        Route::Tags { name } => vec![Scope::repository(name, &["metadata_read"])],
        _ => distribution_scopes(request),
    }
}

/// Whether the API accepts Basic from this user: the admin user and service principals. Tokens with scope maps and the user
/// of refresh tokens, whose name is all zeros, are accepted at the token service only.
fn accepts_basic_from(user: &str) -> bool {
    let is_guid = user.len() == 36 && user.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    user == ADMIN || is_guid && user.contains(|c: char| !matches!(c, '0' | '-'))
}

/// The scheme of the challenge depends on the request: a wrong password in Basic gets a Basic challenge, any other
/// denial a Bearer challenge.
fn reject(denial: &Denial<'_>) -> Reply {
    let reply = unauthorized(&denial.required);
    match (denial.reason, denial.scope()) {
        (DenialReason::WrongPassword, _) => {
            reply.header("www-authenticate", r#"Basic realm="Azure Container Registry""#)
        }
        (DenialReason::InsufficientScope, Some(scope)) => {
            reply.header("www-authenticate", denial.bearer_challenge_without_error(Some(&scope)))
        }
        (_, scope) => reply.header("www-authenticate", denial.bearer_challenge(scope.as_deref())),
    }
}

fn unauthorized(needs: &[Scope]) -> Reply {
    let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
    Reply::error_detail(401, "UNAUTHORIZED", message, &detail(needs))
}
