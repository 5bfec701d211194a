//! The path of a client request, split and decoded before any part of it is used.

use percent_encoding::percent_decode_str;

/// The percent-decoded segments after `/v2/`. A trailing slash becomes an empty last segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPath(Vec<Box<str>>);

/// Why a path is not one of the distribution API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiPathError {
    /// The path does not start with `/v2`.
    OutsideApi,
    /// A decoded segment contains a slash, a backslash, a control character or bytes that are not UTF-8. None of them
    /// can be part of a name.
    BadEncoding,
}

impl ApiPath {
    pub fn parse(path: &str) -> Result<Self, ApiPathError> {
        let rest = match path.strip_prefix("/v2") {
            Some("") => "",
            Some(rest) => rest.strip_prefix('/').ok_or(ApiPathError::OutsideApi)?,
            None => return Err(ApiPathError::OutsideApi),
        };
        if rest.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let segments = rest.split('/').map(|segment| {
            let decoded = percent_decode_str(segment).decode_utf8().map_err(|_| ApiPathError::BadEncoding)?;
            let is_smuggled = decoded.contains(['/', '\\']) || decoded.contains(char::is_control);
            if is_smuggled { Err(ApiPathError::BadEncoding) } else { Ok(decoded.into()) }
        });
        segments.collect::<Result<_, _>>().map(Self)
    }

    pub fn segments(&self) -> &[Box<str>] {
        &self.0
    }

    pub fn first(&self) -> Option<&str> {
        self.0.first().map(|segment| &**segment)
    }

    /// The path without its first segment, which names the registry. `/v2/ghcr.io/` becomes the empty path.
    pub fn without_first(mut self) -> Self {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
        if self.0.len() == 1 && self.0[0].is_empty() {
            self.0.clear();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Vec<String> {
        ApiPath::parse(path).unwrap().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn path_is_split_into_decoded_segments() {
        assert!(segments("/v2").is_empty() && segments("/v2/").is_empty());
        assert_eq!(segments("/v2/a/manifests/x"), ["a", "manifests", "x"]);
        assert_eq!(segments("/v2/a/blobs/sha256%3Aaa"), ["a", "blobs", "sha256:aa"]);
        assert_eq!(segments("/v2/a/blobs/uploads/"), ["a", "blobs", "uploads", ""]);
        assert_eq!(segments("/v2/a/../b"), ["a", "..", "b"]);
    }

    #[test]
    fn encoded_separators_and_foreign_paths_are_rejected() {
        for path in ["/v2/a%2Fb/tags/list", "/v2/a%2f..%2fb", "/v2/a%5Cb", "/v2/a%00", "/v2/%ff", "/v2/a%0d%0a"] {
            assert_eq!(ApiPath::parse(path), Err(ApiPathError::BadEncoding), "{path}");
        }
        for path in ["/", "/v1/x", "/v2x", "//v2/", "/V2/", "v2"] {
            assert_eq!(ApiPath::parse(path), Err(ApiPathError::OutsideApi), "{path}");
        }
    }

    #[test]
    fn path_without_its_only_segment_is_empty() {
        let path = ApiPath::parse("/v2/ghcr.io/").unwrap();
        assert_eq!(path.first(), Some("ghcr.io"));
        assert!(path.without_first().segments().is_empty());
    }
}
