//! GitLab container registry.

use super::GENERIC;
use crate::profile::{Evidence, Fingerprint, Profile};

pub(super) const GITLAB: Profile = Profile {
    name: "gitlab",
    hosts: &["registry.gitlab.com"],
    realm_hosts: &["gitlab.com"],
    fingerprints: &[Fingerprint::RealmPath("/jwt/auth")],
    referrers_tag_returns_subject: true,
    evidence: &[
        Evidence {
            what: "the realm is gitlab.com/jwt/auth; a mount whose source the token may not read answers 401",
            source: "docs.gitlab.com container registry authentication; containers/image#1265",
            date: "2025",
        },
        Evidence {
            what: "no referrers API; the tag sha256-<hex> returns the manifest of that digest",
            source: "oras-project/oras-go#1396",
            date: "2025",
        },
    ],
    ..GENERIC
};
