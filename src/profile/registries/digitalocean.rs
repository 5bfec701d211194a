//! The container registry of Digital Ocean.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const DIGITALOCEAN: Profile = Profile {
    name: "digitalocean",
    hosts: &["registry.digitalocean.com"],
    realm_hosts: &["api.digitalocean.com"],
    evidence: &[
        Evidence {
            what: "the realm is api.digitalocean.com/v2/registry/auth; POST there is a 405, an unknown registry name a 400",
            source: "digitalocean/doctl, replies quoted in public threads",
            date: "2026",
        },
        Evidence {
            what: "an API token is both user name and password",
            source: "docker/login-action#895",
            date: "2025-10-17",
        },
    ],
    ..GENERIC
};
