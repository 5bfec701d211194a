//! Zot.

use super::GENERIC;
use crate::oci::scope::Action;
use crate::profile::{Catalog, Delete, Evidence, Fingerprint, Profile};

pub(super) const ZOT: Profile = Profile {
    name: "zot",
    hosts: &[],
    // The challenge of `/v2/` has an empty scope, that of the catalog `repository::pull`.
    fingerprints: &[
        Fingerprint::EmptyScope,
        Fingerprint::Scope("repository::pull"),
        Fingerprint::BasicRealm("Authorization Required"),
    ],
    catalog: Catalog::Scoped { scope: "repository::pull", needs_credential: false },
    delete: Delete::Actions(&[Action::Push, Action::Delete]),
    challenges_anonymous_with_403: true,
    evidence: &[
        Evidence {
            what: "from 2.1.18 on a delete needs the action delete, before it needed push",
            source: "project-zot/zot#4161, pkg/api/authn.go",
            date: "2026-06-24",
        },
        Evidence {
            what: "with password authentication and some public repositories, the other repositories answer 403 with a Basic challenge; its realm is Authorization Required by default",
            source: "project-zot/zot pkg/api/authz.go, pkg/common/http_server.go",
            date: "2026",
        },
        Evidence {
            what: "an empty scope on /v2/, one action in the other challenges (push alone), repository::pull for the catalog; a bad token answers 401 without a challenge; a 200 may carry a challenge",
            source: "project-zot/zot pkg/api/authn.go, bearer.go, routes.go",
            date: "2026",
        },
    ],
    ..GENERIC
};
