//! Artifactory, in the cloud and at home.

use super::{ANY_UPLOAD, GENERIC};
use crate::profile::{Evidence, Profile, Sign, Uploads};

pub(super) const ARTIFACTORY: Profile = Profile {
    name: "artifactory",
    hosts: &[],
    families: &["*.jfrog.io"],
    signs: &[Sign::Header("x-artifactory-id"), Sign::Header("x-jfrog-version"), Sign::BasicRealm("Artifactory Realm")],
    heads_hide_scope: true,
    uploads: Uploads { longest_put: Some(0), whole_by_post: false, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "HEAD is challenged without a scope, GET with it (RTFACT-20170)",
            source: "containerd/containerd#3556",
            date: "2026",
        },
        Evidence {
            what: "a blob goes by POST, PATCH and an empty PUT; in one request it is refused (RTFACT-19344)",
            source: "goharbor/harbor src/pkg/reg/adapter/jfrog/adapter.go",
            date: "2025",
        },
        Evidence {
            what: "in the cloud a Docker repository is at <instance>-<repository>.jfrog.io, or a path below <instance>.jfrog.io",
            source: "jfrog.com help pages, Docker Registry",
            date: "2025",
        },
    ],
    ..GENERIC
};
