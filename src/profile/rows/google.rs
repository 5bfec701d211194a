//! Google Artifact Registry, and Container Registry, which it replaced.

use super::{ANY_UPLOAD, GENERIC};
use crate::oci::scope::Action;
use crate::profile::{Chunks, Delete, Evidence, Mounts, Profile, Uploads};

pub(super) const GOOGLE: Profile = Profile {
    name: "google",
    hosts: &["gcr.io", "asia.gcr.io", "eu.gcr.io", "marketplace.gcr.io", "us.gcr.io"],
    families: &["*.pkg.dev", "docker.*.rep.pkg.dev"],
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { whole_by_post: false, chunks: Chunks::Whole, mounts: Mounts::Never, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "Artifact Registry takes a blob in one body, not in chunks; its uploads are at /artifacts-uploads/, outside /v2/",
            source: "clowdhaus/ocync crates/ocync-distribution/src/blob.rs, oras-project/rust-oci-client#175",
            date: "2026",
        },
        Evidence {
            what: "mounts were not seen to succeed, and a token is for one scope",
            source: "clowdhaus/ocync docs gar.md; containerd/containerd#4379, #8415",
            date: "2026",
        },
        Evidence { what: "the challenge of a DELETE names pull,push", source: "oras-project/oras#157", date: "2026" },
    ],
    ..GENERIC
};
