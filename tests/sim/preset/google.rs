//! Google Artifact Registry, section 7 of registries.md. Names are `PROJECT/REPOSITORY/IMAGE`.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Ask, Denial, Policy, Scope, TokenAsk, Why, distribution_scopes};
use super::super::reply::Reply;
use super::{Delivery, Hop, Limit, Locations, Mint, Place, Preset, Referrers, Source, TokenField, TokenPlace};

impl Preset {
    pub fn google() -> Self {
        let mut preset = Self::plain("pkg.test");
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.gate.scopes = Arc::new(scopes);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/v2/token".into();
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = Reply::error(401, "UNAUTHORIZED", "authentication failed");
        preset.tokens.post_refused = Some(Reply::new(404).text("404 page not found\n"));
        preset.tokens.mint = Mint::Unbound;
        preset.tokens.lifetime = Duration::from_secs(43_200);
        preset.tokens.expires_in = Some(43_200);
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(302, Place::Here)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::Outside;
        // One stream only (clowdhaus/ocync:blob.rs); how a second one is refused is not on record.
        let chunked = Reply::error(400, "BLOB_UPLOAD_INVALID", "chunked uploads are not supported");
        preset.push.patches.count = Some(Limit::new(1, chunked));
        preset.push.mounts.source = Source::Never;
        preset
    }
}

fn scopes(ask: &Ask<'_>) -> Vec<Scope> {
    match (ask.route.repository(), &ask.entry.method) {
        (Some(name), &http::Method::DELETE) => vec![Scope::repository(name, &["pull", "push"])],
        _ => distribution_scopes(ask),
    }
}

/// Only who comes without a credential is challenged.
fn refuse(denial: &Denial<'_>) -> Reply {
    if denial.why != Why::NoCredential {
        return Reply::error(401, "UNAUTHORIZED", "authentication failed: No valid credential was supplied.");
    }
    let (realm, service) = (&denial.realm, &denial.service);
    let challenge = match denial.needs.first() {
        Some(scope) => format!(r#"Bearer realm="{realm}",service="{service}",scope="{scope}""#),
        None => format!(r#"Bearer realm="{realm}""#),
    };
    Reply::error(401, "UNAUTHORIZED", "not authenticated: No credential was supplied.")
        .header("www-authenticate", challenge)
}

/// One scope at most (containerd/containerd#4379), and all of it.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    if ask.scopes.len() > 1 {
        return Err(Reply::error(400, "UNSUPPORTED", "more than one scope"));
    }
    let wanted: Vec<Scope> = ask.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if wanted == ask.reduced() {
        return Ok(wanted);
    }
    let message = "Unauthenticated request. Unauthenticated requests do not have permission for this resource.";
    Err(Reply::error(403, "DENIED", message))
}
