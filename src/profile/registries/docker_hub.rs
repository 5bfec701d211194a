//! Docker Hub.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile};

pub(super) const DOCKER_HUB: Profile = Profile {
    name: "docker-hub",
    hosts: &[
        "docker.io",
        "registry-1.docker.io",
        "index.docker.io",
        "hub.docker.com",
        "registry.docker.io",
        "registry.hub.docker.com",
    ],
    api_host: Some("registry-1.docker.io"),
    credential_keys: &["https://index.docker.io/v1/"],
    realm_hosts: &["auth.docker.io"],
    default_namespace: Some("library"),
    catalog: Catalog::Unsupported {
        hint: "list the repositories of a namespace at https://hub.docker.com/v2/namespaces/<name>/repositories/",
    },
    has_long_rate_limits: true,
    evidence: &[
        Evidence {
            what: "a 429 is the limit of pulls per six hours, counted by account or address",
            source: "docs.docker.com, Docker Hub pull usage and limits",
            date: "2026",
        },
        Evidence {
            what: "API at registry-1.docker.io, same at index.docker.io; service registry.docker.io answers 503; tokens live 300 s; official images are in library/; the catalog scope is rejected with 400; anonymous pull,push is reduced to pull; a delete answers 202",
            source: "toddysm.com, Authenticating with OCI Registries - Docker Hub Implementation",
            date: "2024-01-30",
        },
        Evidence {
            what: "docker stores credentials under https://index.docker.io/v1/",
            source: "moby/moby daemon/pkg/registry/config.go",
            date: "2025",
        },
        Evidence {
            what: "registry.hub.docker.com answers with the same challenge",
            source: "Azure/acr#651",
            date: "2023",
        },
    ],
    ..GENERIC
};
