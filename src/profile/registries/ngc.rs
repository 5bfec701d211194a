//! NVIDIA NGC.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile};

pub(super) const NGC: Profile = Profile {
    name: "ngc",
    hosts: &["nvcr.io"],
    catalog: Catalog::Unsupported { hint: "images are searched at https://catalog.ngc.nvidia.com" },
    evidence: &[
        Evidence {
            what: "realm /proxy_auth without a service; the user name for API keys is $oauthtoken; Basic is rejected everywhere else; tokens live 600 s and are fetched by GET",
            source: "NVIDIA/nvidia-container-toolkit#1945, sapcc/keppel#731, google/go-containerregistry#728",
            date: "2026",
        },
        Evidence {
            what: "the challenge to an expired token names authn.nvidia.com, which rejects anonymous token requests",
            source: "sapcc/keppel#731",
            date: "2026",
        },
    ],
    ..GENERIC
};
