//! Google Artifact Registry and its predecessor, Container Registry.

use super::{ANY_UPLOAD, GENERIC};
use crate::oci::scope::Action;
use crate::profile::{Chunks, Delete, Evidence, Mounts, Profile, Uploads};

pub(super) const GOOGLE: Profile = Profile {
    name: "google",
    hosts: &["gcr.io", "asia.gcr.io", "eu.gcr.io", "marketplace.gcr.io", "us.gcr.io"],
    host_patterns: &["*.pkg.dev", "docker.*.rep.pkg.dev"],
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { accepts_single_post: false, chunks: Chunks::Single, mounts: Mounts::Unsupported, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "Artifact Registry accepts a blob in one body, not in chunks; its upload locations are at /artifacts-uploads/, outside /v2/",
            source: "clowdhaus/ocync crates/ocync-distribution/src/blob.rs, oras-project/rust-oci-client#175",
            date: "2026",
        },
        Evidence {
            what: "mounts were never observed to succeed; a token is for one scope",
            source: "clowdhaus/ocync docs gar.md; containerd/containerd#4379, #8415",
            date: "2026",
        },
        Evidence { what: "the challenge to a DELETE names pull,push", source: "oras-project/oras#157", date: "2026" },
    ],
    ..GENERIC
};
