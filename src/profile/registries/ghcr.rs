//! GitHub Container Registry.

use super::{ANY_UPLOAD, GENERIC, MIB};
use crate::profile::{Catalog, Chunks, Delete, Evidence, PackageVersions, Profile, Uploads};

pub(super) const GHCR: Profile = Profile {
    name: "ghcr",
    hosts: &["ghcr.io"],
    storage_hosts: &["pkg-containers.githubusercontent.com"],
    catalog: Catalog::Scoped { scope: "repository:user/image:pull", needs_credential: true },
    uploads: Uploads { chunks: Chunks::RangedUpTo(4 * MIB), ..ANY_UPLOAD },
    referrers_redirect_to_web_page: true,
    has_long_rate_limits: true,
    anonymous_tokens_are_unbound: true,
    delete: Delete::Packages(PackageVersions {
        host: "api.github.com",
        paths: &[
            "/orgs/{owner}/packages/container/{package}/versions",
            "/users/{owner}/packages/container/{package}/versions",
        ],
        headers: &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")],
        rights_header: "x-oauth-scopes",
        list_right: "a classic personal access token with read:packages",
        delete_right: "a classic personal access token with delete:packages, and the role admin of the package",
        hint: "package versions are deleted over the vendor's API for packages, for which the registry's `credential` has to be a user name with a personal access token (classic) that has delete:packages",
    }),
    evidence: &[
        Evidence {
            what: "blobs are redirected to pkg-containers.githubusercontent.com",
            source: "AlexanderMattTurner/agent-glovebox#840",
            date: "2026",
        },
        Evidence {
            what: "versions of packages are listed, newest first, and deleted over api.github.com; a manifest is a version whose name is its digest; an organization's packages are under /orgs, a user's under /users",
            source: "docs.github.com, REST API endpoints for packages (2022-11-28)",
            date: "2026",
        },
        Evidence {
            what: "a delete without the right is a 404; the last tagged version is a 400",
            source: "vlaurin/action-ghcr-prune#4, canonical/authd#1376, posit-dev/positron#15764",
            date: "2026-08-27",
        },
        Evidence {
            what: "placeholder scope repository:user/image:pull on /v2/ and _catalog, valid with a credential and 403 without; no expires_in; a credential's token for any repository reads the catalog; a delete answers 405",
            source: "toddysm.com, Authenticating with OCI Registries - GitHub Container Registry (GHCR) Implementation",
            date: "2024-02-12",
        },
        Evidence {
            what: "403 from the token service for private and missing repositories",
            source: "toddysm.com, Authenticating with OCI Registries - GitHub Container Registry (GHCR) Implementation, update",
            date: "2024-03-04",
        },
        Evidence {
            what: "a secondary rate limit asks to wait some minutes; further requests extend it",
            source: "docs.github.com, Rate limits for the REST API; kubeswift#452",
            date: "2026",
        },
        Evidence {
            what: "all anonymous requests of one address share 44000 a minute, an account has 2000; over it, the message of the 429 asks for parts of a second: `retry-after: 985.86µs, allowed: 44000/minute`",
            source: "falcosecurity/plugins#1069, alexklibisz/terraform-provider-terrifi#50, NVIDIA/cuda-quantum#3979, gardenlinux/gardenlinux#2585",
            date: "2026-03-01",
        },
        Evidence {
            what: "an anonymous token is not bound to the repository it was requested for",
            source: "nicholas-fedor/watchtower#2366",
            date: "2026-09-10",
        },
        Evidence {
            what: "referrers are redirected (303) to github.com, which answers 429 with a web page",
            source: "artifacthub/hub#4785",
            date: "2025",
        },
        Evidence {
            what: "a PATCH with Content-Range above 4 MiB answers 416; smaller ranged chunks are accepted in sequence",
            source: "ocx-sh/ocx#237, oras-project/rust-oci-client#37",
            date: "2026",
        },
    ],
    ..GENERIC
};
