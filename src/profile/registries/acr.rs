//! Azure Container Registry.

use std::time::Duration;

use super::{ANY_UPLOAD, GENERIC, MIB};
use crate::profile::{Chunks, Evidence, Fingerprint, Profile, Uploads};

pub(super) const ACR: Profile = Profile {
    name: "acr",
    hosts: &[],
    host_patterns: &["*.azurecr.io", "*.*.geo.azurecr.io", "*.azurecr.cn", "*.azurecr.us", "*.azurecr.de"],
    storage_hosts: &["*.blob.core.windows.net", "*.*.data.azurecr.io"],
    uploads: Uploads {
        max_put_bytes: Some(20_000_000),
        accepts_single_post: false,
        chunks: Chunks::LengthRequired(4 * MIB),
        ..ANY_UPLOAD
    },
    fingerprints: &[Fingerprint::RealmPath("/oauth2/token"), Fingerprint::BasicRealm("Azure Container Registry")],
    extra_tag_list_actions: &["metadata_read"],
    default_token_lifetime: Duration::from_secs(75 * 60),
    evidence: &[
        Evidence {
            what: "blobs are redirected to storage at *.blob.core.windows.net, or to the registry's dedicated data endpoint",
            source: "learn.microsoft.com, Dedicated data endpoints; Azure/acr#217",
            date: "2026",
        },
        Evidence {
            what: "a PUT of about 20 MB and more answers 413; a PATCH without Content-Length answers 400 CONTENT_LENGTH_INVALID; its own clients send 4 MB chunks",
            source: "goharbor/harbor#23015, #23016, #21640; Azure/azure-sdk-for-java#34253",
            date: "2026",
        },
        Evidence {
            what: "listing tags needs metadata_read; tokens live about 75 minutes, which only their exp states, not expires_in; a wrong credential is challenged with Basic",
            source: "Azure/acr docs/AAD-OAuth.md, #676, #651; goharbor/harbor#16888",
            date: "2025",
        },
        Evidence {
            what: "login servers may have a hash in the name, or be regional: NAME.REGION.geo.azurecr.io",
            source: "kubernetes-sigs/cloud-provider-azure#10720",
            date: "2026-08",
        },
    ],
    ..GENERIC
};
