//! Scarf's gateway (scarf-sh/gateway, src/Scarf/Gateway/Rule/Docker.hs) in front of GHCR: reads of the images that it knows
//! are proxied with GHCR's own replies, except for clients that it redirects. Writes are not documented; the simulation
//! rejects them.

use std::sync::Arc;

use http::header;

use super::super::registry::ApiRequest;
use super::super::reply::Reply;
use super::super::route::Route;
use super::plain::reject_writes;
use super::{Capabilities, Catalog, Preset, Referrers, TokenHost};

/// The registry behind the gateway, where docker is redirected to.
const BEHIND: &str = "https://ghcr.io";

impl Preset {
    pub fn scarf() -> Self {
        let mut preset = Self::ghcr();
        preset.host = "scarf.test".into();
        preset.tokens.host = TokenHost::OwnHost;
        preset.tokens.service = Some("ghcr.io".to_owned());
        preset.early_reply = Arc::new(early_reply);
        preset.lists.catalog = None;
        preset.lists.referrers = Referrers::Missing;
        preset.capabilities = Capabilities {
            credential: Some(("linuxserver", "ghp_linuxserver")),
            public_repository: "linuxserver/nginx",
            private_repository: "linuxserver/private",
            catalog: Catalog::Unsupported,
            deletes_over_vendor_api: false,
            ..preset.capabilities.read_only()
        };
        preset
    }
}

/// The gateway's own replies. Other requests reach the registry behind it.
fn early_reply(request: &ApiRequest<'_>) -> Option<Reply> {
    let entry = request.entry;
    let is_not_forwarded =
        matches!(request.route, Route::Root | Route::BareBase | Route::Catalog | Route::Referrers { .. });
    if is_not_forwarded {
        return Some(Reply::new(404));
    }
    let agent = entry.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let parts = ["Docker-Client", "containerd/1.4.9", "containerd/1.5.5", "containerd/1.6"];
    let is_redirected = agent.starts_with("docker/") || parts.iter().any(|part| agent.contains(part));
    if is_redirected {
        return Some(Reply::redirect(302, &format!("{BEHIND}{}", entry.path)));
    }
    reject_writes(request)
}
