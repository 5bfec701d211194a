//! IBM Cloud Container Registry, and IBM's entitled registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const IBM: Profile = Profile {
    name: "ibm",
    hosts: &[
        "icr.io",
        "us.icr.io",
        "uk.icr.io",
        "de.icr.io",
        "es.icr.io",
        "au.icr.io",
        "br.icr.io",
        "ca.icr.io",
        "jp.icr.io",
        "jp2.icr.io",
        "cp.icr.io",
    ],
    host_patterns: &["*.icr.io", "private.*.icr.io"],
    evidence: &[Evidence {
        what: "realm /oauth/token at the registry's own host, service registry; the challenge has values without quotes and blanks after commas; the token service accepts GET only",
        source: "replies quoted in public threads",
        date: "2026",
    }],
    ..GENERIC
};
