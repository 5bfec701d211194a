//! The admin listener: is it alive, and what has it been doing.

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::observe::metrics;
use crate::oci::error::ErrorCode;
use crate::proxy::Proxy;
use crate::proxy::admit::{Front, admit, identify, identify_user};
use crate::proxy::failure::Failure;

/// Answers `/livez` and `/metrics`, under the same rules as every listener. Probes have no login and need none.
pub async fn handle(proxy: &Proxy, front: &Front, request: Request<Incoming>) -> Response<StreamBody> {
    let (head, _body) = request.into_parts();
    let failed = |status, code, message: &str| Failure::new(status, code, Blame::Client, Step::Route, message);
    if let Err(failure) = admitted(front, &head).await {
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

async fn admitted(front: &Front, head: &request::Parts) -> Result<(), Failure> {
    admit(front, head, |_| false)?;
    match head.uri.path() {
        "/livez" | "/readyz" => identify_user(front, head),
        _ => identify(front, head).await.map(drop),
    }
}

fn text(content: String, kind: &'static str) -> Response<StreamBody> {
    let mut response = Response::new(body::full(content));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
