//! The fallback.

use std::time::Duration;

use crate::oci::scope::Action;
use crate::profile::{Catalog, Chunks, Delete, Evidence, Mounts, Profile, Uploads};

/// A registry of which nothing is known: the specification, and nothing taken for granted.
///
/// Its hosts are public registries that the specification's behaviour is enough for.
pub(super) const GENERIC: Profile = Profile {
    name: "generic",
    hosts: &[
        "docker.elastic.co",
        "lscr.io",
        "registry.access.redhat.com",
        "registry.opensuse.org",
        "registry.suse.com",
    ],
    families: &[],
    api_host: None,
    credential_keys: &[],
    realm_hosts: &[],
    signs: &[],
    namespace: None,
    catalog: Catalog::Standard,
    read_only: None,
    delete: Delete::Actions(&[Action::Delete]),
    uploads: Uploads { longest_put: None, whole_by_post: true, chunks: Chunks::Any, mounts: Mounts::Any },
    expired: &[],
    challenges_with_403: false,
    blob_head_by_get: false,
    heads_hide_scope: false,
    referrers_are_pages: false,
    reads_tags_as_digests: false,
    tag_actions: &[],
    limits_are_long: false,
    fallback_lifetime: Duration::from_secs(60),
    evidence: &[Evidence {
        what: "60 s where a token reply names no lifetime; scopes by method",
        source: "distribution/distribution docs/content/spec/auth/token.md, registry/handlers/app.go",
        date: "2024",
    }],
};
