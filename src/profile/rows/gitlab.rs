//! The container registry of GitLab.

use super::GENERIC;
use crate::profile::{Evidence, Profile, Sign};

pub(super) const GITLAB: Profile = Profile {
    name: "gitlab",
    hosts: &["registry.gitlab.com"],
    realm_hosts: &["gitlab.com"],
    signs: &[Sign::RealmPath("/jwt/auth")],
    reads_tags_as_digests: true,
    evidence: &[
        Evidence {
            what: "the realm is gitlab.com/jwt/auth; a mount whose source is out of reach is a 401",
            source: "docs.gitlab.com container registry authentication; containers/image#1265",
            date: "2025",
        },
        Evidence {
            what: "no referrers API, and the tag sha256-<hex> gives the manifest of that digest",
            source: "oras-project/oras-go#1396",
            date: "2025",
        },
    ],
    ..GENERIC
};
