//! Docker Hub through regpass: every behaviour that the article of January 2024 observed (`docs/seed.md`).

mod credentials;
mod endpoints;
mod errors;
mod names;
mod pull;
mod tokens;
mod writes;

use crate::proxied_registry::ProxiedRegistry;

const MANIFEST: &str = "/v2/library/python/manifests/3.10";
const PRIVATE: &str = "/v2/alice/app/manifests/1";
const CREDENTIAL: &str = r#"credential = { source = "password", username = "alice", password = "alices password" }"#;
const TAGS: &str = "/v2/library/python/tags/list";

/// The requests of the first pull of [`MANIFEST`].
const COLD: [&str; 3] = [
    "registry GET /v2/library/python/manifests/3.10 anonymous 401",
    "token GET /token?service=registry.docker.io&scope=repository:library/python:pull anonymous 200",
    "registry GET /v2/library/python/manifests/3.10 bearer#1 200",
];
/// The request of every further pull.
const WARM: &str = "registry GET /v2/library/python/manifests/3.10 bearer#1 200";

/// Docker Hub after a pull of [`MANIFEST`], with an empty ledger. `more` is added to its table in the configuration.
async fn start_warm(more: &str) -> ProxiedRegistry {
    let proxied = ProxiedRegistry::docker_hub(more).await;
    proxied.warm(MANIFEST).await;
    proxied
}
