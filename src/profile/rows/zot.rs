//! Zot.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile, Sign};

pub(super) const ZOT: Profile = Profile {
    name: "zot",
    hosts: &[],
    // The base's, and the catalog's.
    signs: &[Sign::EmptyScope, Sign::Scope("repository::pull"), Sign::BasicRealm("Authorization Required")],
    catalog: Catalog::Scoped { scope: "repository::pull", login: false },
    challenges_with_403: true,
    evidence: &[
        Evidence {
            what: "with passwords, and some repositories open to everyone, the others are a 403 with a Basic challenge; its realm is Authorization Required unless it is configured",
            source: "project-zot/zot pkg/api/authz.go, pkg/common/http_server.go",
            date: "2026",
        },
        Evidence {
            what: "an empty scope on /v2/, one action in the others (push alone), repository::pull for the catalog; a bad token is a 401 without a challenge; a challenge may stand on a 200",
            source: "project-zot/zot pkg/api/authn.go, bearer.go, routes.go",
            date: "2026",
        },
    ],
    ..GENERIC
};
