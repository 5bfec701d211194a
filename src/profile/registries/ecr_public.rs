//! Amazon ECR Public.

use std::time::Duration;

use super::GENERIC;
use crate::profile::{Catalog, ErrorPattern, Evidence, Profile};

pub(super) const ECR_PUBLIC: Profile = Profile {
    name: "ecr-public",
    hosts: &["public.ecr.aws", "ecr-public.aws.com"],
    storage_hosts: &["*.cloudfront.net"],
    catalog: Catalog::Unsupported { hint: "the public gallery is searched at https://gallery.ecr.aws" },
    expired_credential_errors: &[ErrorPattern { status: 400, body_contains: "authorization token is invalid" }],
    blob_head_needs_get: true,
    default_token_lifetime: Duration::from_secs(3600),
    evidence: &[
        Evidence {
            what: "blobs are redirected to d2glxqk2uabbnd.cloudfront.net and d5l0dvt14r5h8.cloudfront.net",
            source: "distribution/distribution#4383, buildbuddy-io/buildbuddy#1256",
            date: "2024",
        },
        Evidence {
            what: "the scope of every challenge is the word aws; tokens are opaque and live an hour",
            source: "SgtSilvio/gradle-oci#141, oras-project/oras-go#1227",
            date: "2025",
        },
        Evidence {
            what: "an expired or wrong token answers 400 DENIED \"Your Authorization Token is invalid.\" without a challenge",
            source: "aws/containers-roadmap#2835, lablup/backend.ai#2549",
            date: "2026",
        },
        Evidence {
            what: "HEAD of a blob answers 401 whatever the token; GET answers 307",
            source: "distribution/distribution#4383, aws/containers-roadmap#2671",
            date: "2025",
        },
    ],
    ..GENERIC
};
