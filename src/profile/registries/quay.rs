//! Quay.io and Red Hat Quay.

use super::{ANY_UPLOAD, GENERIC};
use crate::oci::scope::Action;
use crate::profile::{Catalog, Delete, Evidence, Fingerprint, Mounts, Profile, Uploads};

pub(super) const QUAY: Profile = Profile {
    name: "quay",
    hosts: &["quay.io"],
    storage_hosts: &["cdn.quay.io", "cdn01.quay.io", "cdn02.quay.io", "cdn03.quay.io"],
    fingerprints: &[Fingerprint::RealmPath("/v2/auth")],
    catalog: Catalog::Scoped { scope: "", needs_credential: true },
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { mounts: Mounts::SourceRequired, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "blobs are redirected to cdn.quay.io and cdn01 to cdn03",
            source: "AlexanderMattTurner/agent-glovebox#840",
            date: "2026",
        },
        Evidence {
            what: "token actions are pull, push and * only: registry:catalog:* is rejected with 400, and a DELETE needs pull,push; anonymous tokens need a scope; a mount without a source fails",
            source: "quay/quay endpoints/v2/v2auth.py, endpoints/v2/blob.py",
            date: "2025",
        },
        Evidence {
            what: "a new token service in Go states expires_in, and answers a wrong credential with a 401 and a Basic challenge",
            source: "quay/quay internal/registry/auth/handler.go, internal/registry/distribution/token_handler.go",
            date: "2026-07-21",
        },
    ],
    ..GENERIC
};
