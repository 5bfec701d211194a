//! Harbor.

use super::GENERIC;
use crate::oci::scope::Action;
use crate::profile::{Catalog, Delete, Evidence, Fingerprint, Profile};

pub(super) const HARBOR: Profile = Profile {
    name: "harbor",
    hosts: &[],
    fingerprints: &[Fingerprint::Service("harbor-registry")],
    catalog: Catalog::DirectCredential,
    delete: Delete::ByDigest(&[Action::Pull, Action::Delete]),
    evidence: &[
        Evidence {
            what: "deleting a manifest by tag answers 400 UNSUPPORTED, by digest 202",
            source: "goharbor/harbor src/server/registry/manifest.go",
            date: "2025",
        },
        Evidence {
            what: "service harbor-registry; the catalog is challenged with Basic and only for administrators",
            source: "goharbor/harbor src/server/middleware/v2auth",
            date: "2025",
        },
    ],
    ..GENERIC
};
