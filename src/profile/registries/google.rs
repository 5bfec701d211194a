//! Google Artifact Registry, which also serves the names of Container Registry since 2025.

use super::{ANY_UPLOAD, GENERIC};
use crate::oci::scope::Action;
use crate::profile::{Chunks, Delete, Evidence, Profile, Uploads};

pub(super) const GOOGLE: Profile = Profile {
    name: "google",
    hosts: &["gcr.io", "asia.gcr.io", "eu.gcr.io", "marketplace.gcr.io", "us.gcr.io"],
    host_patterns: &["*.pkg.dev", "docker.*.rep.pkg.dev"],
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { accepts_single_post: false, chunks: Chunks::Single, ..ANY_UPLOAD },
    tokens_cover_every_repository: true,
    evidence: &[
        Evidence {
            what: "Artifact Registry accepts a blob in one body, not in chunks; its upload locations are at /artifacts-uploads/, outside /v2/",
            source: "clowdhaus/ocync crates/ocync-distribution/src/blob.rs, oras-project/rust-oci-client#175",
            date: "2026",
        },
        Evidence {
            what: "Container Registry has ended; Artifact Registry answers under the names of gcr.io",
            source: "cloud.google.com, Transition from Container Registry",
            date: "2025-03-18",
        },
        Evidence {
            what: "a mount works, also from another repository",
            source: "bazel-contrib/rules_img docs/registry-support.md",
            date: "2026-08",
        },
        Evidence {
            what: "a token request for two repositories is rejected",
            source: "containerd/containerd#4379, #8415",
            date: "2023",
        },
        Evidence {
            what: "a token that workload identity federation made ends after about 5 minutes, whatever its lifetime says",
            source: "moby/buildkit#5859",
            date: "2025-03",
        },
        Evidence { what: "the challenge to a DELETE names pull,push", source: "oras-project/oras#157", date: "2026" },
    ],
    ..GENERIC
};
