//! Docker Hub, behaviour by behaviour as the article of January 2024 found it, seen through regpass (docs/seed.md).

mod endpoints;
mod errors;
mod login;
mod names;
mod pull;
mod tokens;
mod writes;

const MANIFEST: &str = "/v2/library/python/manifests/3.10";
const PRIVATE: &str = "/v2/alice/app/manifests/1";
const LOGIN: &str = r#"credential = { source = "password", username = "alice", password = "alices password" }"#;
const TAGS: &str = "/v2/library/python/tags/list";

/// What the first pull of [`MANIFEST`] costs.
const COLD: [&str; 3] = [
    "registry GET /v2/library/python/manifests/3.10 anonymous 401",
    "token GET /token?service=registry.docker.io&scope=repository:library/python:pull anonymous 200",
    "registry GET /v2/library/python/manifests/3.10 bearer#1 200",
];
/// What every further pull costs.
const WARM: &str = "registry GET /v2/library/python/manifests/3.10 bearer#1 200";
