//! Microsoft Artifact Registry, section 17 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{Ask, Policy};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Delivery, Hop, Place, Preset};

impl Preset {
    pub fn mcr() -> Self {
        let mut preset = Self::plain("mcr.test");
        preset.title_case = true;
        preset.gate.open = true;
        preset.policy = Policy::Everyone;
        preset.oddities = Arc::new(read_only);
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.lists.unknown = Arc::new(|_| blob_not_found());
        preset.can = Abilities {
            parts: 2..=2,
            public: "dotnet/sdk",
            private: "dotnet/sdk",
            catalog: Catalog::Everyone,
            ..Abilities::open()
        };
        preset
    }

    /// The 429 of the registry.
    pub fn mcr_throttled() -> Reply {
        Self::acr_throttled()
    }

    /// The 429 of the front door, which is no JSON (microsoft/containerregistry#140).
    pub fn mcr_throttled_in_text() -> Reply {
        let text = "Ref A: 0C1F3A5B7D9E4F60A1B2C3D4E5F60718 Ref B: AMS04EDGE1106 Ref C: 2024-01-30T03:33:37Z";
        Reply::new(429).text(text)
    }
}

/// How else it refuses is not on record.
fn read_only(ask: &Ask<'_>) -> Option<Reply> {
    let reads = matches!(ask.entry.method, Method::GET | Method::HEAD);
    (!reads).then(|| Reply::error(405, "UNSUPPORTED", "The operation is unsupported."))
}

/// The storage's own answer (microsoft/containerregistry#57).
fn blob_not_found() -> Reply {
    let message = "The specified blob does not exist.";
    Reply::new(404).xml(&format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>{message}</Message></Error>"
    ))
}
