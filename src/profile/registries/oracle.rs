//! Oracle's registries: that of its cloud (OCIR), and that of its products.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const ORACLE: Profile = Profile {
    name: "oracle",
    hosts: &["container-registry.oracle.com"],
    host_patterns: &["*.ocir.io", "ocir.*.oci.oraclecloud.com"],
    evidence: &[Evidence {
        what: "OCIR's realm is /20180419/docker/token at the registry's own host; the user name is NAMESPACE/USER, the password an auth token; tokens live about an hour",
        source: "google/go-containerregistry#2442",
        date: "2026-09-08",
    }],
    ..GENERIC
};
