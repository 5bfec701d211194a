//! Azure Container Registry.

use std::time::Duration;

use super::{ANY_UPLOAD, GENERIC, MIB};
use crate::profile::{Chunks, Evidence, Profile, Sign, Uploads};

pub(super) const ACR: Profile = Profile {
    name: "acr",
    hosts: &[],
    families: &["*.azurecr.io", "*.*.geo.azurecr.io", "*.azurecr.cn", "*.azurecr.us", "*.azurecr.de"],
    uploads: Uploads {
        longest_put: Some(20_000_000),
        whole_by_post: false,
        chunks: Chunks::Sized(4 * MIB),
        ..ANY_UPLOAD
    },
    signs: &[Sign::RealmPath("/oauth2/token"), Sign::BasicRealm("Azure Container Registry")],
    tag_actions: &["metadata_read"],
    fallback_lifetime: Duration::from_secs(75 * 60),
    evidence: &[
        Evidence {
            what: "a PUT of about 20 MB and more answers 413; a PATCH without Content-Length answers 400 CONTENT_LENGTH_INVALID; clients of its own send 4 MB chunks",
            source: "goharbor/harbor#23015, #23016, #21640; Azure/azure-sdk-for-java#34253",
            date: "2026",
        },
        Evidence {
            what: "listing tags wants metadata_read; tokens live about 75 minutes, which their exp tells and no expires_in; a wrong login is challenged with Basic",
            source: "Azure/acr docs/AAD-OAuth.md, #676, #651; goharbor/harbor#16888",
            date: "2025",
        },
    ],
    ..GENERIC
};
