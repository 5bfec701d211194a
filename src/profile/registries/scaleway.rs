//! Scaleway Container Registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const SCALEWAY: Profile = Profile {
    name: "scaleway",
    hosts: &["rg.fr-par.scw.cloud", "rg.nl-ams.scw.cloud", "rg.pl-waw.scw.cloud"],
    host_patterns: &["rg.*.scw.cloud"],
    realm_hosts: &["api.scaleway.com"],
    token_404_is_unknown_namespace: true,
    evidence: &[Evidence {
        what: "the realm is api.scaleway.com/registry-internal/v1/regions/REGION/tokens, the service registry; it answers 404 for an unknown namespace; the user name is nologin, the password a secret key",
        source: "replies quoted in public threads",
        date: "2026",
    }],
    ..GENERIC
};
