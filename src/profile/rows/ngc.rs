//! NVIDIA's NGC.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile};

pub(super) const NGC: Profile = Profile {
    name: "ngc",
    hosts: &["nvcr.io"],
    catalog: Catalog::Lacking { hint: "images are searched at https://catalog.ngc.nvidia.com" },
    evidence: &[
        Evidence {
            what: "realm /proxy_auth without a service; a login of its own for API keys, $oauthtoken; Basic is refused everywhere else; tokens of 600 s by GET",
            source: "NVIDIA/nvidia-container-toolkit#1945, sapcc/keppel#731, google/go-containerregistry#728",
            date: "2026",
        },
        Evidence {
            what: "with an expired token the challenge names authn.nvidia.com, which refuses whoever follows it anonymously",
            source: "sapcc/keppel#731",
            date: "2026",
        },
    ],
    ..GENERIC
};
