//! GitLab's container registry, section 13 of registries.md. Tokens come from another host.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Policy, Scope, TokenAsk};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Delivery, Hop, Locations, Place, Preset, Referrers, Source, TokenField};

const ADMIN: &str = "root";

impl Preset {
    pub fn gitlab() -> Self {
        let mut preset = Self::plain("gitlab.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        preset.tokens.path = "/jwt/auth".into();
        preset.tokens.service = Some("container_registry".to_owned());
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = Reply::error(401, "UNAUTHORIZED", "HTTP Basic: Access denied.");
        preset.tokens.post_refused = Some(Reply::new(404));
        preset.tokens.lifetime = Duration::from_secs(300);
        preset.tokens.expires_in = None;
        preset.tokens.issuer = "gitlab-issuer".into();
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        // oras-project/oras-go#1396: the subject itself comes back.
        preset.pull.digest_tags = true;
        preset.lists.referrers = Referrers::Missing;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.mounts.source = Source::Challenged;
        preset.can = Abilities {
            login: Some(("gitlab+deploy-token-1", "gldt-secret")),
            parts: 2..=usize::MAX,
            catalog: Catalog::Admin { user: ADMIN },
            ..Abilities::plain()
        };
        preset
    }
}

/// Nobody gets a token for nothing; the catalog is for administrators.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    if ask.user.is_none() && ask.scopes.is_empty() {
        return Err(Reply::error(403, "DENIED", "access forbidden"));
    }
    let admin = ask.user.as_deref() == Some(ADMIN);
    Ok(ask.reduced().into_iter().filter(|scope| scope.kind != "registry" || admin).collect())
}
