//! Docker Hub.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, NamespaceListing, Profile};

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
    storage_hosts: &["production.cloudfront.docker.com"],
    default_namespace: Some("library"),
    catalog: Catalog::Namespaces(NamespaceListing {
        host: "hub.docker.com",
        login_path: "/v2/auth/token",
        login_members: ("identifier", "secret"),
        token_member: "access_token",
        organizations_path: "/v2/user/orgs/",
        organization_member: "orgname",
        repositories_path: "/v2/namespaces/{namespace}/repositories",
        right: "a personal access token, or an organization access token that may list repositories",
        hint: "with a user name and a personal access token as the registry's `credential`, the catalog lists the repositories of its own namespaces; those of any other are at https://hub.docker.com/v2/namespaces/<name>/repositories",
    }),
    has_long_rate_limits: true,
    evidence: &[
        Evidence {
            what: "blobs are redirected to production.cloudfront.docker.com; names of Cloudflare left the vendor's list in June",
            source: "docker/docs#25108, #25124, #25304",
            date: "2026-07",
        },
        Evidence {
            what: "hub.docker.com lists the repositories of a namespace, at most 100 on a page; a login yields a token that lives for minutes",
            source: "docs.docker.com, Docker Hub API reference; docker/hub-tool pkg/hub/organizations.go",
            date: "2026",
        },
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
