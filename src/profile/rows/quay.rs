//! Quay.io, and Red Hat Quay.

use super::{ANY_UPLOAD, GENERIC};
use crate::oci::scope::Action;
use crate::profile::{Catalog, Delete, Evidence, Mounts, Profile, Sign, Uploads};

pub(super) const QUAY: Profile = Profile {
    name: "quay",
    hosts: &["quay.io"],
    signs: &[Sign::RealmPath("/v2/auth")],
    catalog: Catalog::Scoped { scope: "", login: true },
    delete: Delete::Actions(&[Action::Pull, Action::Push]),
    uploads: Uploads { mounts: Mounts::FromSource, ..ANY_UPLOAD },
    evidence: &[Evidence {
        what: "tokens know pull, push and * only: registry:catalog:* is refused with 400, and a DELETE wants pull,push; anonymous tokens need a scope; a mount without a source fails",
        source: "quay/quay endpoints/v2/v2auth.py, endpoints/v2/blob.py",
        date: "2025",
    }],
    ..GENERIC
};
