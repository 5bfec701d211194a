//! The admin listener: is it alive, and what has it been doing.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::observe::metrics;
use crate::oci::error::ErrorCode;
use crate::proxy::Proxy;
use crate::proxy::admit::{Front, admit};
use crate::proxy::failure::Failure;

/// Answers `/livez` and `/metrics`, under the same rules of `Host` and `Origin` as every listener.
pub fn handle(proxy: &Proxy, front: &Front, request: Request<Incoming>) -> Response<StreamBody> {
    let (head, _body) = request.into_parts();
    let failed = |status, code, message: &str| Failure::new(status, code, Blame::Client, Step::Route, message);
    if let Err(failure) = admit(front, &head, |_| false) {
        return failure.response(None);
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let failure =
            failed(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, "the endpoint takes GET, HEAD only");
        return failure.with_header(ALLOW, "GET, HEAD").response(None);
    }
    match head.uri.path() {
        "/livez" => text("ok\n".to_owned(), "text/plain; charset=utf-8"),
        "/metrics" => text(proxy.metrics.render(), metrics::CONTENT_TYPE),
        _ => failed(StatusCode::NOT_FOUND, ErrorCode::Unsupported, "the admin listener has /livez and /metrics")
            .response(None),
    }
}

fn text(content: String, kind: &'static str) -> Response<StreamBody> {
    let mut response = Response::new(body::full(content));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
