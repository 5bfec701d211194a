//! The rows.

use std::time::Duration;

use super::{Catalog, Chunks, Delete, Evidence, Expired, Profile, Uploads};
use crate::oci::scope::Action;

/// Every row, the fallback last.
pub static ALL: &[Profile] =
    &[ACR, ARTIFACTORY, DISTRIBUTION, DOCKER_HUB, ECR, ECR_PUBLIC, GHCR, GOOGLE, HARBOR, QUAY, GENERIC];

/// A registry of which nothing is known: the specification, and nothing taken for granted.
///
/// Its hosts are public registries that the specification's behaviour is enough for.
const GENERIC: Profile = Profile {
    name: "generic",
    hosts: &[
        "docker.elastic.co",
        "lscr.io",
        "mcr.microsoft.com",
        "nvcr.io",
        "registry.access.redhat.com",
        "registry.gitlab.com",
        "registry.k8s.io",
        "registry.opensuse.org",
        "registry.suse.com",
    ],
    families: &[],
    api_host: None,
    credential_keys: &[],
    realm_hosts: &[],
    namespace: None,
    catalog: Catalog::Standard,
    delete: Delete::Actions(&[Action::Delete]),
    uploads: Uploads { longest_put: None, whole_by_post: true, chunks: Chunks::Any, mount_needs_source: false },
    expired: &[],
    tag_actions: &[],
    fallback_lifetime: Duration::from_secs(60),
    evidence: &[Evidence {
        what: "60 s where a token reply names no lifetime; scopes by method",
        source: "distribution/distribution docs/content/spec/auth/token.md, registry/handlers/app.go",
        date: "2024",
    }],
};

const ACR: Profile = Profile {
    name: "acr",
    hosts: &[],
    families: &["*.azurecr.io", "*.azurecr.cn", "*.azurecr.us", "*.azurecr.de"],
    uploads: Uploads {
        longest_put: Some(20_000_000),
        whole_by_post: false,
        chunks: Chunks::Sized(4 * MIB),
        ..ANY_UPLOAD
    },
    evidence: &[Evidence {
        what: "a PUT of about 20 MB and more answers 413; a PATCH without Content-Length answers 400 CONTENT_LENGTH_INVALID; clients of its own send 4 MB chunks",
        source: "goharbor/harbor#23015, #23016, #21640; Azure/azure-sdk-for-java#34253",
        date: "2026",
    }],
    ..GENERIC
};

const ARTIFACTORY: Profile = Profile {
    name: "artifactory",
    hosts: &[],
    uploads: Uploads { longest_put: Some(0), whole_by_post: false, ..ANY_UPLOAD },
    evidence: &[Evidence {
        what: "a blob goes by POST, PATCH and an empty PUT; in one request it is refused (RTFACT-19344)",
        source: "goharbor/harbor src/pkg/reg/adapter/jfrog/adapter.go",
        date: "2025",
    }],
    ..GENERIC
};

const ECR: Profile = Profile {
    name: "ecr",
    hosts: &[],
    families: &[
        "*.dkr.ecr.*.amazonaws.com",
        "*.dkr.ecr-fips.*.amazonaws.com",
        "*.dkr-ecr.*.on.aws",
        "*.dkr-ecr-fips.*.on.aws",
        "*.dkr.ecr.*.amazonaws.com.cn",
        "*.dkr-ecr.*.on.amazonwebservices.com.cn",
        "*.dkr.ecr.*.amazonaws.eu",
        "*.dkr.ecr.*.c2s.ic.gov",
        "*.dkr.ecr.*.sc2s.sgov.gov",
        "*.dkr.ecr.*.cloud.adc-e.uk",
        "*.dkr.ecr.*.csp.hci.ic.gov",
    ],
    expired: &[Expired { status: 403, words: "authorization token has expired" }],
    evidence: &[
        Evidence {
            what: "403 DENIED \"Your authorization token has expired. Reauthenticate and try again.\" without a challenge",
            source: "flipt-io/flipt#3043, awslabs/soci-snapshotter#1148",
            date: "2024",
        },
        Evidence {
            what: "its hosts in every partition",
            source: "awslabs/amazon-ecr-credential-helper ecr-login/api/client.go",
            date: "2025",
        },
        Evidence {
            what: "PATCH answers 201, and a Range that stays at the first chunk",
            source: "regclient/regclient scheme/reg/blob.go, aws/containers-roadmap#2831",
            date: "2026",
        },
    ],
    ..GENERIC
};

const ECR_PUBLIC: Profile = Profile {
    name: "ecr-public",
    hosts: &["public.ecr.aws", "ecr-public.aws.com"],
    expired: &[Expired { status: 400, words: "authorization token is invalid" }],
    evidence: &[Evidence {
        what: "a bad or expired token answers 400 DENIED \"Your Authorization Token is invalid.\" without a challenge",
        source: "aws/containers-roadmap#2835, lablup/backend.ai#2549",
        date: "2026",
    }],
    ..GENERIC
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
    uploads: Uploads { chunks: Chunks::RangedUpTo(4 * MIB), ..ANY_UPLOAD },
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
        Evidence {
            what: "a ranged PATCH above 4 MiB answers 416; ranged chunks up to that are taken one after the other",
            source: "ocx-sh/ocx#237, oras-project/rust-oci-client#37",
            date: "2026",
        },
    ],
    ..GENERIC
};

const GOOGLE: Profile = Profile {
    name: "google",
    hosts: &["gcr.io", "asia.gcr.io", "eu.gcr.io", "marketplace.gcr.io", "us.gcr.io"],
    families: &["*.pkg.dev", "docker.*.rep.pkg.dev"],
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { whole_by_post: false, chunks: Chunks::Whole, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "Artifact Registry takes a blob in one body, not in chunks; its uploads are at /artifacts-uploads/, outside /v2/",
            source: "clowdhaus/ocync crates/ocync-distribution/src/blob.rs, oras-project/rust-oci-client#175",
            date: "2026",
        },
        Evidence { what: "the challenge of a DELETE names pull,push", source: "oras-project/oras#157", date: "2026" },
    ],
    ..GENERIC
};

const HARBOR: Profile = Profile {
    name: "harbor",
    hosts: &[],
    delete: Delete::ByDigest(&[Action::Pull, Action::Delete]),
    evidence: &[Evidence {
        what: "deleting a manifest by tag answers 400 UNSUPPORTED, by digest 202",
        source: "goharbor/harbor src/server/registry/manifest.go",
        date: "2025",
    }],
    ..GENERIC
};

const QUAY: Profile = Profile {
    name: "quay",
    hosts: &["quay.io"],
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { mount_needs_source: true, ..ANY_UPLOAD },
    evidence: &[Evidence {
        what: "tokens know pull, push and * only, and a DELETE wants pull,push; a mount without a source fails",
        source: "quay/quay endpoints/v2/v2auth.py, endpoints/v2/blob.py",
        date: "2025",
    }],
    ..GENERIC
};

const ANY_UPLOAD: Uploads = GENERIC.uploads;
const MIB: u64 = 1024 * 1024;
