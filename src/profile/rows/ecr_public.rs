//! Amazon ECR Public.

use std::time::Duration;

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Expired, Profile};

pub(super) const ECR_PUBLIC: Profile = Profile {
    name: "ecr-public",
    hosts: &["public.ecr.aws", "ecr-public.aws.com"],
    catalog: Catalog::Lacking { hint: "the public gallery is searched at https://gallery.ecr.aws" },
    expired: &[Expired { status: 400, words: "authorization token is invalid" }],
    blob_head_by_get: true,
    fallback_lifetime: Duration::from_secs(3600),
    evidence: &[
        Evidence {
            what: "the scope of every challenge is the word aws; tokens are opaque and live an hour",
            source: "SgtSilvio/gradle-oci#141, oras-project/oras-go#1227",
            date: "2025",
        },
        Evidence {
            what: "a token that is over or wrong answers 400 DENIED \"Your Authorization Token is invalid.\" without a challenge",
            source: "aws/containers-roadmap#2835, lablup/backend.ai#2549",
            date: "2026",
        },
        Evidence {
            what: "HEAD of a blob answers 401, whatever the token; GET a 307",
            source: "distribution/distribution#4383, aws/containers-roadmap#2671",
            date: "2025",
        },
    ],
    ..GENERIC
};
