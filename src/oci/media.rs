//! Media types of manifests.

/// An image index (image specification, "Image Index"), which is also a list of referrers.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `Accept` value for manifest requests that name no media type (no `Accept`, or only `*/*`): all current manifest types. Without it some registries convert an image
/// to schema 1 or answer that it does not exist (Docker Hub 2024, Quay, distribution v3).
pub const ALL_MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Whether an `Accept` value names no media type, only `*/*` or nothing.
pub fn accepts_anything(accept: &str) -> bool {
    accept.split(',').all(|range| range.split(';').next().is_none_or(|range| matches!(range.trim(), "" | "*/*")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wildcards_accept_anything() {
        for (accept, anything) in [
            ("*/*", true),
            ("", true),
            ("*/*;q=0.8, */*", true),
            ("application/json", false),
            ("application/vnd.oci.image.index.v1+json, */*", false),
        ] {
            assert_eq!(accepts_anything(accept), anything, "{accept}");
        }
    }
}
