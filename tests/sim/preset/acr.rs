//! Azure Container Registry, section 4 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Ask, Denial, Policy, Route, Scope, Why, distribution_scopes};
use super::super::reply::Reply;
use super::distribution::detail;
use super::{
    Abilities, Catalog, Delivery, Hop, Length, Limit, LinkForm, Locations, Paging, Place, Preset, Referrers,
    TokenField, TokenPlace,
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
/// The admin user bears the registry's name.
const ADMIN: &str = "acr";

impl Preset {
    pub fn acr() -> Self {
        let mut preset = Self::plain("acr.test");
        preset.title_case = true;
        preset.headers = HEADERS;
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.gate.basic_for = takes_basic;
        preset.gate.scopes = Arc::new(scopes);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/oauth2/token".into();
        preset.tokens.wrong_login = unauthorized(&[]);
        // Azure/acr#104.
        preset.tokens.password_refused = Some(Reply::new(400));
        preset.tokens.lifetime = Duration::from_secs(4500);
        preset.tokens.expires_in = None;
        preset.tokens.issuer = "Azure Container Registry".into();
        preset.tokens.fields = vec![TokenField::Full("access_token")];
        preset.tokens.issued_at = false;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.pull.heads_stay = true;
        // Azure/acr#217.
        let malformed =
            "Authentication information is not given in the correct format. Check the value of Authorization header.";
        preset.pull.doubly_authorized = Some(
            Reply::new(400)
                .xml(&format!("<Error><Code>InvalidAuthenticationInfo</Code><Message>{malformed}</Message></Error>")),
        );
        let paging = Paging { default: Some(100), link: LinkForm::OrderBy, ..Paging::plain() };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(paging);
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.parameters = &[("_nouploadcache", "false")];
        // goharbor/harbor#23015 and #23016: nginx in front counts megabytes of 1024 × 1024.
        let too_large = Reply::new(413).text("413 Request Entity Too Large - AzureContainerRegistry");
        preset.push.most_in_put = Some(Limit::new(20 << 20, too_large));
        // docker's stream without a Content-Range is taken, as far as is known.
        preset.push.patches.length = Length::WithRange;
        // dotnet/sdk-container-builds#258.
        preset.push.patches.range_malformed =
            Reply::error(400, "BLOB_UPLOAD_INVALID", "the Content-Range header format is invalid");
        preset.can = Abilities {
            login: Some((ADMIN, "password")),
            catalog: Catalog::Login,
            referrers: true,
            ..Abilities::plain()
        };
        preset
    }

    /// The 429; there are quotas for reads and for writes (microsoft/containerregistry#108).
    pub fn acr_throttled() -> Reply {
        let message =
            "Too many requests. Please visit https://aka.ms/acr/skus#sku-feature-matrix for more information.";
        Reply::error(429, "TOOMANYREQUESTS", message)
    }
}

/// Tags are metadata: `pull` does not reach them.
fn scopes(ask: &Ask<'_>) -> Vec<Scope> {
    match ask.route {
        Route::Tags { name } => vec![Scope::repository(name, &["metadata_read"])],
        _ => distribution_scopes(ask),
    }
}

/// The admin user and service principals; tokens with scope maps are for the token service only, and so is the user of
/// refresh tokens, whose name is all zeros.
fn takes_basic(user: &str) -> bool {
    let is_guid = user.len() == 36 && user.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    user == ADMIN || is_guid && user.contains(|c: char| !matches!(c, '0' | '-'))
}

/// The scheme changes with the request: a wrong Basic is asked for another Basic.
fn refuse(denial: &Denial<'_>) -> Reply {
    let reply = unauthorized(&denial.needs);
    match (denial.why, denial.scope()) {
        (Why::WrongPassword, _) => reply.header("www-authenticate", r#"Basic realm="Azure Container Registry""#),
        (Why::InsufficientScope, Some(scope)) => {
            let (realm, service) = (&denial.realm, &denial.service);
            reply.header("www-authenticate", format!(r#"Bearer realm="{realm}",service="{service}",scope="{scope}""#))
        }
        (_, scope) => reply.header("www-authenticate", denial.bearer(scope.as_deref())),
    }
}

fn unauthorized(needs: &[Scope]) -> Reply {
    let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
    Reply::error_detail(401, "UNAUTHORIZED", message, &detail(needs))
}
