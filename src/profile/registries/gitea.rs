//! Gitea and Forgejo.

use super::{ANY_UPLOAD, GENERIC};
use crate::profile::{Chunks, Evidence, Fingerprint, Profile, Uploads};

pub(super) const GITEA: Profile = Profile {
    name: "gitea",
    hosts: &[],
    fingerprints: &[
        Fingerprint::ServiceAndScope("container_registry", "*"),
        Fingerprint::BasicRealm("Gitea Container Registry"),
    ],
    uploads: Uploads { chunks: Chunks::Single, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "an upload accepts one PATCH; a second one is rejected",
            source: "go-gitea/gitea#34724, #34795",
            date: "2026",
        },
        Evidence {
            what: "service container_registry and scope *, with a Basic challenge in a second line or in the same; the realm is under ROOT_URL, whatever host the request was for; the token service accepts GET only",
            source: "go-gitea/gitea routers/api/packages/container/container.go, #36907, #36920, #28039",
            date: "2026",
        },
    ],
    ..GENERIC
};
