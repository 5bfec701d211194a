//! Quay.io, and Red Hat Quay.

use super::{ANY_UPLOAD, GENERIC};
use crate::oci::scope::Action;
use crate::profile::{Delete, Evidence, Profile, Uploads};

pub(super) const QUAY: Profile = Profile {
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
