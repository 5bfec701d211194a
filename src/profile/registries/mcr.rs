//! Microsoft Artifact Registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const MCR: Profile = Profile {
    name: "mcr",
    hosts: &["mcr.microsoft.com", "mcr.azure.cn"],
    storage_hosts: &["*.data.mcr.microsoft.com", "*.data.mcr.azure.cn"],
    read_only_reason: Some("only its owner publishes there"),
    evidence: &[Evidence {
        what: "no credentials; blobs at *.data.mcr.microsoft.com; a catalog; rate limit errors in plain text",
        source: "microsoft/containerregistry docs, #168, #108, #140",
        date: "2025",
    }],
    ..GENERIC
};
