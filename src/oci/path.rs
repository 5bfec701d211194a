//! The path of a client request, decoded and split before any part of it is used.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The decoded segments after `/v2/`. A trailing slash becomes an empty last segment.
///
/// The whole path is decoded before it is split, as Go's servers do: an encoded slash separates segments like a plain
/// one. The decoded segments are the only form that names, rules and the registry's request are made from, so that no
/// second reading of the path can differ from the first. `.` and `..` are never resolved: no name contains them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath {
    segments: Vec<Box<str>>,
    /// Whether the client wrote slashes that do not belong to the path: empty segments, or one after an endpoint. They
    /// are not in `segments`.
    had_extra_slashes: bool,
}

/// Why a path is not one of the distribution API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiPathError {
    /// The path does not start with `/v2`.
    OutsideApi,
    /// The decoded path contains a backslash, a control character or bytes that are not UTF-8. None of them can be part
    /// of a name.
    BadEncoding,
}

impl ApiPath {
    pub fn parse(path: &str) -> Result<Self, ApiPathError> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let below_root = decoded.strip_prefix('/').ok_or(ApiPathError::OutsideApi)?;
        let (parents, last) = below_root.rsplit_once('/').unwrap_or(("", below_root));
        let parents: Vec<&str> = if parents.is_empty() { Vec::new() } else { parents.split('/').collect() };
        let had_empty_segments = parents.iter().any(|segment| segment.is_empty()) || below_root.starts_with('/');
        let mut segments = parents.into_iter().filter(|segment| !segment.is_empty()).chain([last]);
        if segments.next() != Some("v2") {
            return Err(ApiPathError::OutsideApi);
        }
        if decoded.contains(['\\', char::REPLACEMENT_CHARACTER]) || decoded.contains(char::is_control) {
            return Err(ApiPathError::BadEncoding);
        }
        let mut segments: Vec<&str> = segments.collect();
        let ends_with_extra_slash = has_slash_after_endpoint(&segments);
        // `/v2/` is the path without segments.
        if ends_with_extra_slash || segments == [""] {
            segments.pop();
        }
        let had_extra_slashes = had_empty_segments || ends_with_extra_slash;
        Ok(Self { segments: segments.into_iter().map(Into::into).collect(), had_extra_slashes })
    }

    pub fn segments(&self) -> &[Box<str>] {
        &self.segments
    }

    pub fn first(&self) -> Option<&str> {
        self.segments.first().map(|segment| &**segment)
    }

    /// The path without its first segment, which names the registry. `/v2/ghcr.io/` becomes the empty path.
    pub fn without_first(mut self) -> Self {
        if !self.segments.is_empty() {
            self.segments.remove(0);
        }
        if self.segments.len() == 1 && self.segments[0].is_empty() {
            self.segments.clear();
        }
        self
    }

    /// The path as the API writes it, encoded, if the client wrote it with slashes too many.
    pub fn cleaned(&self) -> Option<String> {
        let path = self
            .segments
            .iter()
            .fold("/v2".to_owned(), |path, segment| path + "/" + &utf8_percent_encode(segment, ENCODED).to_string());
        self.had_extra_slashes.then(|| if self.segments.is_empty() { path + "/" } else { path })
    }
}

/// Whether the path ends with a slash that does not belong to it: after everything but `/v2/`, the name of a registry,
/// and the path that starts an upload.
fn has_slash_after_endpoint(segments: &[&str]) -> bool {
    match segments {
        [.., "blobs", "uploads", ""] => false,
        [.., "tags", "list", ""]
        | [.., "manifests" | "blobs" | "referrers", _, ""]
        | [.., "blobs", "uploads", _, ""] => true,
        // The catalog and extensions.
        [parents @ .., ""] => parents.iter().any(|segment| segment.starts_with('_')),
        _ => false,
    }
}

/// Encoded in a path segment: everything but unreserved characters and those that digests and hosts contain.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'+')
    .remove(b'=');

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        ApiPath::parse(path).unwrap().segments.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn path_is_split_into_decoded_segments() {
        assert!(segments("/v2").is_empty() && segments("/v2/").is_empty());
        assert_eq!(segments("/v2/a/manifests/x"), ["a", "manifests", "x"]);
        assert_eq!(segments("/v2/a/blobs/sha256%3Aaa"), ["a", "blobs", "sha256:aa"]);
        assert_eq!(segments("/v2/a/blobs/uploads/"), ["a", "blobs", "uploads", ""]);
        assert_eq!(segments("/v2/a/../b"), ["a", "..", "b"]);
        assert_eq!(segments("/v2/a%2Fb/tags%2flist"), ["a", "b", "tags", "list"]);
        assert_eq!(segments("/v2/a%2F..%2Fb"), ["a", "..", "b"]);
        assert_eq!(segments("/v2/a%252Fb"), ["a%2Fb"], "decoded once");
    }

    #[test]
    fn backslashes_control_characters_and_foreign_paths_are_rejected() {
        for path in ["/v2/a%5Cb", "/v2/a%5c..%5cb", "/v2/a%00", "/v2/%ff", "/v2/a%0d%0a", "/v2/%EF%BF%BD"] {
            assert_eq!(ApiPath::parse(path), Err(ApiPathError::BadEncoding), "{path}");
        }
        for path in ["/", "//", "", "*", "/v1/x", "/v2x", "/V2/", "v2", "/../v2/", "/%ff", "/x//v2/"] {
            assert_eq!(ApiPath::parse(path), Err(ApiPathError::OutsideApi), "{path}");
        }
    }

    #[test]
    fn path_without_its_only_segment_is_empty() {
        let path = ApiPath::parse("/v2/ghcr.io/").unwrap();
        assert_eq!(path.first(), Some("ghcr.io"));
        assert!(path.without_first().segments().is_empty());
    }

    #[test]
    fn empty_segments_and_extra_slashes_are_removed() {
        for (path, cleaned) in [
            ("//v2/", "/v2/"),
            ("//v2", "/v2/"),
            ("/v2//", "/v2/"),
            ("///v2///", "/v2/"),
            ("//v2/a/tags/list", "/v2/a/tags/list"),
            ("/v2//a//tags//list", "/v2/a/tags/list"),
            ("/v2/a/tags/list/", "/v2/a/tags/list"),
            ("/v2/a/tags/list//", "/v2/a/tags/list"),
            ("/v2/_catalog/", "/v2/_catalog"),
            ("/v2/ghcr.io/_catalog/", "/v2/ghcr.io/_catalog"),
            ("/v2/a/_oci/ext/discover/", "/v2/a/_oci/ext/discover"),
            ("/v2/a/manifests/x/", "/v2/a/manifests/x"),
            ("/v2/a/blobs/sha256:aa/", "/v2/a/blobs/sha256:aa"),
            ("/v2/a/blobs//uploads/", "/v2/a/blobs/uploads/"),
            ("/v2/a/blobs/uploads//", "/v2/a/blobs/uploads/"),
            ("/v2/a/blobs/uploads/x/", "/v2/a/blobs/uploads/x"),
            ("/v2//ghcr.io/", "/v2/ghcr.io/"),
            ("/v2/a%2F%2Fb/tags/list", "/v2/a/b/tags/list"),
            ("//v2/a%20b%3F%2523/tags/list", "/v2/a%20b%3F%2523/tags/list"),
            ("//v2/../x", "/v2/../x"),
            ("//evil.example//v2/", ""),
        ] {
            let got = ApiPath::parse(path).ok().map(|path| path.cleaned().unwrap());
            assert_eq!(got.as_deref().unwrap_or_default(), cleaned, "{path}");
            if let Some(got) = got {
                assert_eq!(ApiPath::parse(&got).unwrap().cleaned(), None, "{got} is clean");
            }
        }
        for path in [
            "/v2",
            "/v2/",
            "/v2/ghcr.io/",
            "/v2/a/tags/list",
            "/v2/a%2Fb/tags/list",
            "/v2/a/blobs/uploads",
            "/v2/a/blobs/uploads/",
            "/v2/a/manifests/",
            "/v2/a/tags/",
            "/v2/a/../b/tags/list",
        ] {
            assert_eq!(ApiPath::parse(path).unwrap().cleaned(), None, "{path}");
        }
    }
}
