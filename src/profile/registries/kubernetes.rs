//! registry.k8s.io, which redirects to regional registries.

use super::GENERIC;
use crate::profile::{Catalog, Evidence, Profile};

pub(super) const KUBERNETES: Profile = Profile {
    name: "kubernetes",
    hosts: &["registry.k8s.io"],
    storage_hosts: &["*.pkg.dev", "prod-registry-k8s-io-*.s3.dualstack.*.amazonaws.com"],
    catalog: Catalog::Unsupported {
        hint: "images of Kubernetes are listed at https://explore.ggcr.dev/?repo=registry.k8s.io",
    },
    read_only_reason: Some("images are promoted there by pull requests to kubernetes/k8s.io"),
    evidence: &[Evidence {
        what: "no credentials; manifests and tags are redirected (307) to a regional registry, blobs to a bucket; 405 for every method but GET and HEAD; no catalog",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go",
        date: "2026",
    }],
    ..GENERIC
};
