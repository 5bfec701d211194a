//! Scarf's gateway, which serves images of other registries under their projects' own names.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile};

pub(super) const SCARF: Profile = Profile {
    name: "scarf",
    hosts: &["lscr.io", "cr.fluentbit.io"],
    // GHCR, from which the gateway takes these images. Its `credential_keys` are not shared: a token that GHCR issues for
    // a personal access token is that token in base64, and the gateway receives it.
    realm_hosts: &["ghcr.io"],
    catalog: Catalog::Unsupported {
        hint: "the gateway answers 404; the projects list their images on their web pages",
    },
    evidence: &[
        Evidence {
            what: "docker and some versions of containerd are redirected to the registry behind the gateway, by their User-Agent; others are proxied; /v2/_catalog and unknown images are a 404",
            source: "scarf-sh/gateway src/Scarf/Gateway/Rule/Docker.hs",
            date: "2026",
        },
        Evidence {
            what: "the challenge is that of GHCR: realm ghcr.io/token, service ghcr.io",
            source: "getwud/wud#143",
            date: "2022-08-31",
        },
        Evidence {
            what: "a proxy that forwards docker's User-Agent gets a 401",
            source: "rpardini/docker-registry-proxy#158, dqzboy/Docker-Proxy#103",
            date: "2026-09-20",
        },
    ],
    ..GENERIC
};
