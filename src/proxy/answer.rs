//! What regpass answers by itself.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode, request};
use serde_json::json;

use super::failure::Failure;
use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;

/// The ping: 200 for every registry, never a challenge. A client that is challenged here starts a login of its own;
/// one that is not sends no credentials for the rest of the session.
pub fn ping() -> Response<StreamBody> {
    json_response(StatusCode::OK, "{}".to_owned())
}

/// `/`: where a person who opened it in a browser may want to go.
pub fn root(head: &request::Parts, status_page: Option<&str>) -> Result<Response<StreamBody>, Failure> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Unsupported,
            Blame::Client,
            Step::Route,
            "the endpoint takes GET, HEAD only",
        )
        .with_header(http::header::ALLOW, "GET, HEAD"));
    }
    let pointer = json!({ "service": "regpass", "version": env!("CARGO_PKG_VERSION"), "api": "/v2/", "status_page": status_page });
    Ok(json_response(StatusCode::OK, pointer.to_string()))
}

fn json_response(status: StatusCode, text: String) -> Response<StreamBody> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
