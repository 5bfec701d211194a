//! Amazon Elastic Container Registry, private.

use super::GENERIC;
use crate::profile::{ErrorPattern, Evidence, Profile};

pub(super) const ECR: Profile = Profile {
    name: "ecr",
    hosts: &[],
    host_patterns: &[
        "*.dkr.ecr.*.amazonaws.com",
        "*.dkr.ecr-fips.*.amazonaws.com",
        "*.dkr.ecr.*.amazonaws.com.cn",
        "*.dkr.ecr.*.amazonaws.eu",
        "*.dkr-ecr.*.on.aws",
        "*.dkr-ecr-fips.*.on.aws",
        "*.dkr-ecr.*.on.amazonwebservices.com.cn",
        "*.dkr.ecr.*.c2s.ic.gov",
        "*.dkr.ecr.*.sc2s.sgov.gov",
        "*.dkr.ecr.*.cloud.adc-e.uk",
        "*.dkr.ecr.*.csp.hci.ic.gov",
    ],
    storage_hosts: &["prod-*-starport-layer-bucket.s3.*.amazonaws.com"],
    expired_credential_errors: &[ErrorPattern { status: 403, body_contains: "authorization token has expired" }],
    evidence: &[
        Evidence {
            what: "blobs are redirected to a bucket named prod-REGION-starport-layer-bucket",
            source: "open-policy-agent/opa#6580, #6728",
            date: "2026",
        },
        Evidence {
            what: "host names of registries, including dual-stack, China and Europe",
            source: "awslabs/amazon-ecr-credential-helper ecr-login/api/client.go",
            date: "2026",
        },
        Evidence {
            what: "403 DENIED \"Your authorization token has expired. Reauthenticate and try again.\" without a challenge",
            source: "flipt-io/flipt#3043, awslabs/soci-snapshotter#1148",
            date: "2024",
        },
        Evidence {
            what: "PATCH answers 201, with a Range that never grows beyond the first chunk",
            source: "regclient/regclient scheme/reg/blob.go, aws/containers-roadmap#2831",
            date: "2026",
        },
        Evidence {
            what: "a push creates the repository if the account has a creation template for pushes",
            source: "hashicorp/terraform-provider-aws#45701, aws/containers-roadmap#853",
            date: "2025-12",
        },
        Evidence {
            what: "an account can switch mounts on; a blob can be mounted once a manifest of its repository refers to it",
            source: "hashicorp/terraform-provider-aws#46092, aws/containers-roadmap#2860",
            date: "2026-08-24",
        },
    ],
    ..GENERIC
};
