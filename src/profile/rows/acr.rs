//! Azure Container Registry.

use super::{ANY_UPLOAD, GENERIC, MIB};
use crate::profile::{Chunks, Evidence, Profile, Uploads};

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
    evidence: &[Evidence {
        what: "a PUT of about 20 MB and more answers 413; a PATCH without Content-Length answers 400 CONTENT_LENGTH_INVALID; clients of its own send 4 MB chunks",
        source: "goharbor/harbor#23015, #23016, #21640; Azure/azure-sdk-for-java#34253",
        date: "2026",
    }],
    ..GENERIC
};
