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
    namespace: Some("library"),
    catalog: Catalog::Lacking {
        hint: "Docker Hub has no catalog; list the repositories of a namespace at https://hub.docker.com/v2/namespaces/<name>/repositories/",
    },
    limits_are_long: true,
    evidence: &[
        Evidence {
            what: "429 is the limit of pulls in six hours, by account or address",
            source: "docs.docker.com, Docker Hub pull usage and limits",
            date: "2026",
        },
        Evidence {
            what: "API at registry-1.docker.io, same at index.docker.io; service registry.docker.io answers 503; token 300 s; library/; catalog scope refused with 400; anonymous pull,push reduced to pull; delete 202",
            source: "toddysm.com, Authenticating with OCI Registries - Docker Hub Implementation",
            date: "2024-01-30",
        },
        Evidence {
            what: "logins are kept under https://index.docker.io/v1/",
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
