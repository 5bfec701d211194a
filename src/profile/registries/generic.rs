//! The fallback for registries without a profile of their own.

use std::time::Duration;

use crate::oci::scope::Action;
use crate::profile::{Catalog, Chunks, Delete, Evidence, Mounts, Profile, Uploads};

/// The specification's behaviour, without deviations. The base of all other profiles.
///
/// `hosts` are public registries that follow the specification.
pub(super) const GENERIC: Profile = Profile {
    name: "generic",
    hosts: &["registry.access.redhat.com", "registry.opensuse.org", "registry.suse.com"],
    host_patterns: &[],
    api_host: None,
    credential_keys: &[],
    realm_hosts: &[],
    storage_hosts: &[],
    fingerprints: &[],
    default_namespace: None,
    catalog: Catalog::Standard,
    read_only_reason: None,
    delete: Delete::Actions(&[Action::Delete]),
    uploads: Uploads { max_put_bytes: None, accepts_single_post: true, chunks: Chunks::Any, mounts: Mounts::Supported },
    expired_credential_errors: &[],
    challenges_anonymous_with_403: false,
    blob_head_needs_get: false,
    head_challenge_lacks_scope: false,
    referrers_redirect_to_web_page: false,
    referrers_tag_returns_subject: false,
    tokens_cover_every_repository: false,
    token_404_is_unknown_namespace: false,
    extra_tag_list_actions: &[],
    has_long_rate_limits: false,
    default_token_lifetime: Duration::from_secs(60),
    anonymous_tokens_are_unbound: false,
    evidence: &[Evidence {
        what: "60 s where a token response states no lifetime; scopes depend on the method",
        source: "distribution/distribution docs/content/spec/auth/token.md, registry/handlers/app.go",
        date: "2024",
    }],
};
