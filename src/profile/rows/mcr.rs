//! The Microsoft Artifact Registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const MCR: Profile = Profile {
    name: "mcr",
    hosts: &["mcr.microsoft.com", "mcr.azure.cn"],
    read_only: Some("only its owner publishes there"),
    evidence: &[Evidence {
        what: "no login; blobs at *.data.mcr.microsoft.com; a catalog; limits are told in plain text",
        source: "microsoft/containerregistry docs, #168, #108, #140",
        date: "2025",
    }],
    ..GENERIC
};
