//! Microsoft Artifact Registry, section 17 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::reply::Reply;
use super::{Capabilities, Catalog, Delivery, Preset};

impl Preset {
    pub fn mcr() -> Self {
        // MCR's reply to writes is not documented; the simulation sends 405.
        let mut preset = Self::open("mcr.test");
        preset.title_case_headers = true;
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(1200));
        preset.lists.unknown_repository = Arc::new(|_| blob_not_found());
        preset.capabilities = Capabilities {
            name_components: 2..=2,
            public_repository: "dotnet/sdk",
            private_repository: "dotnet/sdk",
            catalog: Catalog::Everyone,
            ..preset.capabilities
        };
        preset
    }

    /// The 429 of the registry itself, the same as ACR's.
    pub fn mcr_throttled() -> Reply {
        Self::acr_throttled()
    }

    /// The 429 of Azure Front Door, which is not JSON (microsoft/containerregistry#140).
    pub fn mcr_throttled_in_text() -> Reply {
        let text = "Ref A: 0C1F3A5B7D9E4F60A1B2C3D4E5F60718 Ref B: AMS04EDGE1106 Ref C: 2024-01-30T03:33:37Z";
        Reply::new(429).text(text)
    }
}

/// The reply to a list of tags of an unknown repository: an error of Azure storage (microsoft/containerregistry#57).
fn blob_not_found() -> Reply {
    let message = "The specified blob does not exist.";
    Reply::new(404).xml(&format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>{message}</Message></Error>"
    ))
}
