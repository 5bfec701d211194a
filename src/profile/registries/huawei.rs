//! Huawei Cloud's Software Repository for Container.

use super::GENERIC;
use crate::profile::{Evidence, Fingerprint, Profile};

pub(super) const HUAWEI: Profile = Profile {
    name: "huawei",
    hosts: &[],
    host_patterns: &["swr.*.myhuaweicloud.com"],
    fingerprints: &[Fingerprint::RealmPath("/swr/auth/v2/registry/auth/")],
    evidence: &[Evidence {
        what: "the realm ends in a slash, the service is dockyard; the challenge's scope has no actions; no token without a scope; Basic at the API is rejected; tokens live about 900 s",
        source: "replies quoted in public threads",
        date: "2026",
    }],
    ..GENERIC
};
