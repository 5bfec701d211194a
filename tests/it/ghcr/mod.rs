//! GHCR through regpass: every behaviour that the article of February 2024 observed (`docs/seed.md`).

mod catalog;
mod endpoints;
mod pull;
mod rate_limits;
mod shared_tokens;
mod tokens;
mod writes;

use crate::proxied_registry::ProxiedRegistry;

const MANIFEST: &str = "/v2/ghcr.io/toddysm/python/manifests/3.10";
const PRIVATE: &str = "/v2/ghcr.io/toddysm/private/manifests/1";
const CREDENTIAL: &str = r#"credential = { source = "password", username = "toddysm", password = "ghp_toddysm" }"#;

/// The requests of the first pull of [`MANIFEST`].
const COLD: [&str; 3] = [
    "registry GET /v2/toddysm/python/manifests/3.10 anonymous 401",
    "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull anonymous 200",
    "registry GET /v2/toddysm/python/manifests/3.10 bearer#1 200",
];
/// The request of every further pull.
const WARM: &str = "registry GET /v2/toddysm/python/manifests/3.10 bearer#1 200";

/// GHCR after a pull of [`MANIFEST`], with an empty ledger. `more` is added to its table in the configuration.
async fn start_warm(more: &str) -> ProxiedRegistry {
    let proxied = ProxiedRegistry::ghcr(more).await;
    proxied.warm(MANIFEST).await;
    proxied
}
