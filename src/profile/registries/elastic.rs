//! Elastic's registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const ELASTIC: Profile = Profile {
    name: "elastic",
    hosts: &["docker.elastic.co"],
    realm_hosts: &["docker-auth.elastic.co"],
    evidence: &[Evidence {
        what: "the realm is docker-auth.elastic.co/auth, with the service token-service; the token is in access_token",
        source: "hashicorp/terraform-provider-docker#243, elastic/kibana#164657",
        date: "2023",
    }],
    ..GENERIC
};
