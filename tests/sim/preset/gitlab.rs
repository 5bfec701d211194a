//! GitLab's container registry, section 13 of registries.md. Its token service has another host.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Policy, Scope, TokenRequest};
use super::super::reply::Reply;
use super::{Capabilities, Catalog, Delivery, Locations, MountSource, Preset, Referrers};

const ADMIN: &str = "root";

impl Preset {
    pub fn gitlab() -> Self {
        let mut preset = Self::plain("gitlab.test");
        preset.title_case_headers = true;
        preset.policy = Policy::Users;
        preset.tokens.path = "/jwt/auth".into();
        preset.tokens.service = Some("container_registry".to_owned());
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.bad_credential_reply = Reply::error(401, "UNAUTHORIZED", "HTTP Basic: Access denied.");
        preset.tokens.post_rejection = Some(Reply::new(404));
        preset.tokens.lifetime = Duration::from_secs(300);
        preset.tokens.issuer = "gitlab-issuer".into();
        preset.tokens.reply_with_only("token");
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(1200));
        // oras-project/oras-go#1396: the fallback tag of referrers returns the subject itself.
        preset.pull.digest_tags = true;
        preset.lists.referrers = Referrers::Missing;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.mounts.source = MountSource::ScopeAndSourceRequired;
        preset.capabilities = Capabilities {
            credential: Some(("gitlab+deploy-token-1", "gldt-secret")),
            name_components: 2..=usize::MAX,
            catalog: Catalog::AdminByToken { user: ADMIN },
            ..Capabilities::plain()
        };
        preset
    }
}

/// Denies an anonymous request without a scope, and the catalog to users that are not administrators.
fn grant(request: &TokenRequest<'_>) -> Result<Vec<Scope>, Reply> {
    if request.user.is_none() && request.scopes.is_empty() {
        return Err(Reply::error(403, "DENIED", "access forbidden"));
    }
    let admin = request.user.as_deref() == Some(ADMIN);
    Ok(request.permitted_scopes().into_iter().filter(|scope| scope.kind != "registry" || admin).collect())
}
