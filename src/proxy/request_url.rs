//! Path and query of a client request.

use http::{Method, StatusCode, Uri};

use super::error_response::ErrorResponse;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::oci::path::{ApiPath, ApiPathError};
use crate::oci::query::Query;

/// The URL of an API request, parsed.
#[derive(Clone, Debug)]
pub struct RequestUrl {
    pub path: ApiPath,
    pub query: Query,
}

impl RequestUrl {
    pub fn parse(uri: &Uri) -> Result<Self, ErrorResponse> {
        let (path, query) = split_query(uri);
        Ok(Self { path: ApiPath::parse(path).map_err(not_api)?, query: Query::parse(query) })
    }

    /// Where a client finds what it asked for with doubled slashes or a slash at the end: the same path without them.
    /// `None` if the path has none.
    ///
    /// The client has to send the request again, so that every rule, also one of a proxy in front of regpass, sees the
    /// path that counts. distribution does the same (gorilla/mux, `cleanPath` and `StrictSlash`), with 301 for every
    /// method; after a 308 a push is sent again as what it was.
    pub fn cleaned(&self, method: &Method) -> Option<(StatusCode, String)> {
        let location = self.query.append_to(&self.path.cleaned()?);
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        Some((if is_read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT }, location))
    }
}

/// Path and query of a request. Some scripts append `&digest=` to any upload location, because the locations of their
/// registry have a query. No path of the API contains an ampersand.
fn split_query(uri: &Uri) -> (&str, Option<&str>) {
    match (uri.query(), uri.path().split_once('&')) {
        (None, Some((path, query))) if path.contains("/blobs/uploads/") => (path, Some(query)),
        (query, _) => (uri.path(), query),
    }
}

fn not_api(why: ApiPathError) -> ErrorResponse {
    let (status, code, message) = match why {
        ApiPathError::OutsideApi => (
            StatusCode::NOT_FOUND,
            ErrorCode::Unsupported,
            "not found: regpass serves only the distribution API below /v2/",
        ),
        ApiPathError::BadEncoding => (
            StatusCode::BAD_REQUEST,
            ErrorCode::NameInvalid,
            "the path contains a backslash, a control character or bytes that are not UTF-8",
        ),
    };
    ErrorResponse::new(status, code, Blame::Client, Step::Route, message)
}
