//! Chainguard's registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const CHAINGUARD: Profile = Profile {
    name: "chainguard",
    hosts: &["cgr.dev"],
    evidence: &[
        Evidence {
            what: "realm cgr.dev/token, service cgr.dev; a pull token lives 30 days by default; without a credential only the latest tags can be pulled",
            source: "chainguard-dev/edu#3953",
            date: "2026-09-09",
        },
        Evidence {
            what: "a token for one repository is a 403 at another, and a token request for two repositories is rejected",
            source: "clowdhaus/ocync docs",
            date: "2026-05",
        },
    ],
    ..GENERIC
};
