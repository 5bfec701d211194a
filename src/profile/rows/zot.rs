//! Zot.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile, Sign};

pub(super) const ZOT: Profile = Profile {
    name: "zot",
    hosts: &[],
    // The base's, and the catalog's.
    signs: &[Sign::EmptyScope, Sign::Scope("repository::pull")],
    catalog: Catalog::Scoped { scope: "repository::pull", login: false },
    evidence: &[Evidence {
        what: "an empty scope on /v2/, one action in the others (push alone), repository::pull for the catalog; a bad token is a 401 without a challenge; a challenge may stand on a 200",
        source: "project-zot/zot pkg/api/authn.go, bearer.go, routes.go",
        date: "2026",
    }],
    ..GENERIC
};
