//! The rows.

use std::time::Duration;

use super::{Catalog, Delete, Evidence, Profile};
use crate::oci::scope::Action;

/// Every row, the fallback last.
pub static ALL: &[Profile] = &[DISTRIBUTION, DOCKER_HUB, GHCR, GENERIC];

/// A registry of which nothing is known: the specification, and nothing taken for granted.
///
/// Its hosts are public registries that the specification's behaviour is enough for.
const GENERIC: Profile = Profile {
    name: "generic",
    hosts: &[
        "docker.elastic.co",
        "gcr.io",
        "lscr.io",
        "mcr.microsoft.com",
        "nvcr.io",
        "public.ecr.aws",
        "quay.io",
        "registry.access.redhat.com",
        "registry.gitlab.com",
        "registry.k8s.io",
        "registry.opensuse.org",
        "registry.suse.com",
    ],
    api_host: None,
    credential_keys: &[],
    realm_hosts: &[],
    namespace: None,
    catalog: Catalog::Standard,
    delete: Delete::Actions(&[Action::Delete]),
    tag_actions: &[],
    fallback_lifetime: Duration::from_secs(60),
    evidence: &[Evidence {
        what: "60 s where a token reply names no lifetime; scopes by method",
        source: "distribution/distribution docs/content/spec/auth/token.md, registry/handlers/app.go",
        date: "2024",
    }],
};

const DISTRIBUTION: Profile = Profile { name: "distribution", hosts: &[], ..GENERIC };

const DOCKER_HUB: Profile = Profile {
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
    evidence: &[
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

const GHCR: Profile = Profile {
    name: "ghcr",
    hosts: &["ghcr.io"],
    catalog: Catalog::WithLogin { scope: "repository:user/image:pull" },
    delete: Delete::Lacking {
        hint: "the registry deletes nothing over this API; delete the package version on its web page or over the vendor's REST API (/user/packages/container/<name>/versions)",
    },
    evidence: &[
        Evidence {
            what: "placeholder scope repository:user/image:pull on /v2/ and _catalog, valid with a login and 403 without; no expires_in; catalog with a login's token of any repository; delete 405",
            source: "toddysm.com, Authenticating with OCI Registries - GitHub Container Registry (GHCR) Implementation",
            date: "2024-02-12",
        },
        Evidence {
            what: "403 from the token service for private and missing repositories",
            source: "same, update",
            date: "2024-03-04",
        },
    ],
    ..GENERIC
};
