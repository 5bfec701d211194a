//! Docker Hardened Images.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const DHI: Profile = Profile {
    name: "dhi",
    hosts: &["dhi.io"],
    credential_keys: &["https://index.docker.io/v1/"],
    evidence: &[Evidence {
        what: "realm dhi.io/token with Docker Hub's service registry.docker.io; credentials are those of Docker Hub; nothing can be pulled anonymously; names have no library/",
        source: "getwud/wud#875, docker/docs#23859",
        date: "2026-09",
    }],
    ..GENERIC
};
