//! NVIDIA NGC, section 8 of registries.md. Writes are not documented; the simulation rejects them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::registry::{Denial, DenialReason, Policy, Scope, TokenRequest};
use super::super::reply::Reply;
use super::plain::reject_writes;
use super::{Capabilities, Catalog, Delivery, ExpiryReply, ExtraHost, Preset, TokenHost};

/// The token service that the challenge for an expired token names.
const AUTHN: &str = "authn";

impl Preset {
    pub fn ngc() -> Self {
        let mut preset = Self::plain("ngc.test");
        preset.title_case_headers = true;
        preset.policy = Policy::Users;
        preset.early_reply = Arc::new(reject_writes);
        preset.access.reject = Arc::new(reject);
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/proxy_auth".into();
        // The challenge names no service, so a client must not send one.
        preset.tokens.service = Some(String::new());
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.bad_credential_reply = Reply::nginx(401, "401 Authorization Required");
        // NGC's status for a POST is not documented.
        preset.tokens.post_rejection = Some(Reply::nginx(401, "401 Authorization Required"));
        preset.tokens.lifetime = Duration::from_secs(600);
        preset.tokens.issuer = "authn.nvidia.com".into();
        preset.tokens.edit_claims = Some(Arc::new(|claims| claims["aud"] = json!("registry")));
        preset.tokens.reply_with_only("token");
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(600)).for_get_only();
        preset.pull.head_served_directly = true;
        preset.lists.tags.default_n = Some(100);
        preset.lists.catalog = None;
        preset.extra_hosts = vec![ExtraHost {
            name: AUTHN,
            repository_prefix: "",
            may_receive_credentials: true,
            preset: authn(&preset),
        }];
        preset.capabilities = Capabilities {
            credential: Some(("$oauthtoken", "nvapi-key")),
            name_components: 2..=3,
            public_repository: "nvidia/cuda",
            private_repository: "acme/team/model",
            catalog: Catalog::Unsupported,
            expiry: Some(ExpiryReply::OtherRealm),
            ..Capabilities::plain()
        }
        .read_only();
        preset
    }
}

/// NGC's second token service, which rejects anonymous requests.
fn authn(preset: &Preset) -> Preset {
    let mut preset = preset.clone();
    preset.tokens.path = "/token".into();
    preset.tokens.service = Some("registry".to_owned());
    preset.tokens.grant = Arc::new(|request| match request.user {
        Some(_) => grant(request),
        None => Err(Reply::error(401, "UNAUTHORIZED", "authentication required")),
    });
    preset
}

/// The challenge names no service. For an expired or unknown token it names another realm, with a service.
fn reject(denial: &Denial<'_>) -> Reply {
    let scope = denial.scope().map_or_else(String::new, |scope| format!(r#",scope="{scope}""#));
    let challenge = match denial.reason {
        DenialReason::ExpiredToken | DenialReason::UnknownToken => {
            let realm = format!("{}/token", denial.request.registry.origins().extra_host(AUTHN));
            format!(r#"Bearer realm="{realm}",service="registry"{scope},error="invalid_token""#)
        }
        _ => format!(r#"Bearer realm="{}"{scope}"#, denial.realm),
    };
    Reply::nginx(401, "401 Authorization Required").header("www-authenticate", challenge)
}

/// Grants at most one scope per request, all of it or nothing.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    if request.scopes.len() > 1 {
        return Err(Reply::error(400, "UNSUPPORTED", "more than one scope"));
    }
    let requested: Vec<Scope> = request.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if requested == request.permitted_scopes() {
        Ok(requested)
    } else {
        Err(Reply::error(403, "DENIED", "Access Denied"))
    }
}
