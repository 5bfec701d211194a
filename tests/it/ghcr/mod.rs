//! GHCR, behaviour by behaviour as the article of February 2024 found it, seen through regpass (docs/seed.md).

mod catalog;
mod endpoints;
mod pull;
mod tokens;
mod writes;

const MANIFEST: &str = "/v2/ghcr.io/toddysm/python/manifests/3.10";
const PRIVATE: &str = "/v2/ghcr.io/toddysm/private/manifests/1";
const LOGIN: &str = r#"credential = { source = "password", username = "toddysm", password = "ghp_toddysm" }"#;

/// What the first pull of [`MANIFEST`] costs.
const COLD: [&str; 3] = [
    "registry GET /v2/toddysm/python/manifests/3.10 anonymous 401",
    "token GET /token?service=ghcr.test&scope=repository:toddysm/python:pull anonymous 200",
    "registry GET /v2/toddysm/python/manifests/3.10 bearer#1 200",
];
/// What every further pull costs.
const WARM: &str = "registry GET /v2/toddysm/python/manifests/3.10 bearer#1 200";
