//! Media types of manifests.

/// What to ask for when the client does not say: everything native, so that no registry falls back to converting an
/// image into schema 1 or to hiding it (Docker Hub 2024, Quay, distribution v3).
pub const ALL_MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Whether an `Accept` value leaves the choice to the server.
pub fn accepts_anything(accept: &str) -> bool {
    accept.split(',').all(|range| range.split(';').next().is_none_or(|range| matches!(range.trim(), "" | "*/*")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wildcards_leave_the_choice() {
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
