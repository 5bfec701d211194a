//! Gitea and Forgejo.

use super::{ANY_UPLOAD, GENERIC};
use crate::profile::{Chunks, Evidence, Profile, Sign, Uploads};

pub(super) const GITEA: Profile = Profile {
    name: "gitea",
    hosts: &[],
    signs: &[Sign::ServiceAndScope("container_registry", "*"), Sign::BasicRealm("Gitea Container Registry")],
    uploads: Uploads { chunks: Chunks::Whole, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "an upload takes one PATCH, a second one is refused",
            source: "go-gitea/gitea#34724, #34795",
            date: "2026",
        },
        Evidence {
            what: "service container_registry and scope *, with a Basic challenge in a second line or in the same; the realm is below ROOT_URL, whatever host was asked; tokens are had by GET",
            source: "go-gitea/gitea routers/api/packages/container/container.go, #36907, #36920, #28039",
            date: "2026",
        },
    ],
    ..GENERIC
};
