//! Harbor.

use super::GENERIC;
use crate::oci::scope::Action;
use crate::profile::{Delete, Evidence, Profile};

pub(super) const HARBOR: Profile = Profile {
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
