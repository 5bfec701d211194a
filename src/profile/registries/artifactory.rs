//! Artifactory, cloud and self-hosted.

use super::{ANY_UPLOAD, GENERIC};
use crate::profile::{Evidence, Fingerprint, Profile, Uploads};

pub(super) const ARTIFACTORY: Profile = Profile {
    name: "artifactory",
    hosts: &[],
    host_patterns: &["*.jfrog.io"],
    fingerprints: &[
        Fingerprint::Header("x-artifactory-id"),
        Fingerprint::Header("x-jfrog-version"),
        Fingerprint::BasicRealm("Artifactory Realm"),
    ],
    head_challenge_lacks_scope: true,
    uploads: Uploads { max_put_bytes: Some(0), accepts_single_post: false, ..ANY_UPLOAD },
    evidence: &[
        Evidence {
            what: "the challenge to a HEAD has no scope, that to a GET has it (RTFACT-20170)",
            source: "containerd/containerd#3556",
            date: "2026",
        },
        Evidence {
            what: "a blob is accepted by POST, PATCH and an empty PUT; in one request it is rejected (RTFACT-19344)",
            source: "goharbor/harbor src/pkg/reg/adapter/jfrog/adapter.go",
            date: "2025",
        },
        Evidence {
            what: "in the cloud a Docker repository is at <instance>-<repository>.jfrog.io or under a path of <instance>.jfrog.io",
            source: "jfrog.com help pages, Docker Registry",
            date: "2025",
        },
    ],
    ..GENERIC
};
