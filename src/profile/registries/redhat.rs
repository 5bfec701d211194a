//! Red Hat's registries of subscribers and of partners.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const REDHAT: Profile = Profile {
    name: "redhat",
    hosts: &["registry.redhat.io", "registry.connect.redhat.com"],
    // Older challenges name the realm at the single sign-on.
    realm_hosts: &["sso.redhat.com"],
    evidence: &[Evidence {
        what: "the realm is /auth/realms/rhcc/protocol/redhat-docker-v2/auth at the registry's own host (realm rhc4tp for partners), the service docker-registry; nothing can be pulled anonymously; user names have a number, a bar and a name",
        source: "aboutbits/postgresql-operator#9, replies quoted in public threads",
        date: "2026-07-18",
    }],
    ..GENERIC
};
