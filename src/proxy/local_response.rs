//! Responses that regpass makes without a registry: to `/v2/`, to `/`, and to paths with slashes too many.

use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode, request};
use serde_json::json;

use super::error_response::ErrorResponse;
use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;

/// The response to `GET /v2/` after the listener's own authentication: 200 for every registry, never the registry's
/// challenge. A challenge would make the client authenticate itself; without one it sends no credential in later
/// requests either.
pub fn ping() -> Response<StreamBody> {
    json_response(StatusCode::OK, "{}".to_owned())
}

/// The response to `/`, for people who open it in a browser: version, API path and status page.
pub fn root(head: &request::Parts, status_page: Option<&str>) -> Result<Response<StreamBody>, ErrorResponse> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(ErrorResponse::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unsupported,
            Blame::Client,
            Step::Route,
            "this endpoint allows only GET and HEAD",
        )
        .with_header(http::header::ALLOW, "GET, HEAD"));
    }
    let content = json!({ "service": "regpass", "version": env!("CARGO_PKG_VERSION"), "api": "/v2/", "status_page": status_page });
    Ok(json_response(StatusCode::OK, content.to_string()))
}

/// A redirect to a URL of this regpass.
pub fn moved(status: StatusCode, location: String) -> Result<Response<StreamBody>, ErrorResponse> {
    let location = HeaderValue::try_from(location).map_err(|_| {
        let message = "the query contains characters that have to be percent-encoded";
        ErrorResponse::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, Blame::Client, Step::Route, message)
    })?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn json_response(status: StatusCode, text: String) -> Response<StreamBody> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
