//! The admin listener: liveness, readiness, metrics, the status as JSON and its page.

mod exposition;
pub mod gauges;
mod health;
mod page;
mod registry;
pub mod snapshot;
pub mod status;

use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::net::body::{self, StreamBody};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::proxy::Proxy;
use crate::proxy::error_response::ErrorResponse;
use crate::proxy::foreign_page;
use crate::proxy::host_check::check_host;
use crate::proxy::listener::{ListenerContext, authenticate, check_uid};
use crate::proxy::response_headers::CROSS_ORIGIN_RESOURCE_POLICY;

/// Answers one request to the admin listener. `Host`, `Origin` and client authentication are checked as on every
/// listener, except that `/livez` and `/readyz` need no client credential, because probes have none.
pub async fn handle(proxy: &Proxy, listener: &ListenerContext, request: Request<Incoming>) -> Response<StreamBody> {
    let (head, _body) = request.into_parts();
    let outcome = answer(proxy, listener, &head).await;
    let mut response = outcome.unwrap_or_else(|error| error.to_response(None));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(
    proxy: &Proxy,
    listener: &ListenerContext,
    head: &request::Parts,
) -> Result<Response<StreamBody>, ErrorResponse> {
    check_access(listener, head).await?;
    let error = |status, code, message: &str| ErrorResponse::new(status, code, Blame::Client, Step::Route, message);
    let path = head.uri.path();
    if !ENDPOINTS.contains(&path) && !page::is_part(path) {
        let message = format!("not found: the admin listener serves {}", ENDPOINTS.join(", "));
        return Err(error(StatusCode::NOT_FOUND, ErrorCode::Unsupported, &message));
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let message = "this endpoint allows only GET and HEAD";
        let error = error(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message);
        return Err(error.with_header(ALLOW, "GET, HEAD"));
    }
    Ok(match path {
        "/livez" => respond(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
        "/readyz" => {
            let (status, content_type, content) = health::ready(proxy, &head.headers);
            respond(status, content_type, content)
        }
        "/metrics" => {
            let (content_type, content) = exposition::negotiate(gauges::metrics(proxy), &head.headers);
            respond(StatusCode::OK, content_type, content)
        }
        "/status.json" => {
            let content = serde_json::to_string(&snapshot::of(proxy)).unwrap_or_default();
            respond(StatusCode::OK, "application/json", content)
        }
        _ => {
            let (content_type, content) = page::part(path, proxy);
            respond(StatusCode::OK, content_type, content)
        }
    })
}

async fn check_access(listener: &ListenerContext, head: &request::Parts) -> Result<(), ErrorResponse> {
    let host = check_host(listener, head, |_| false)?;
    // People open the status page from links in chats and dashboards. It cannot be framed, and changes nothing.
    if !(head.uri.path() == "/" && foreign_page::is_navigation(head)) {
        foreign_page::check(head, host.as_ref())?;
    }
    match head.uri.path() {
        "/livez" | "/readyz" => check_uid(listener, head),
        _ => authenticate(listener, head).await.map(drop),
    }
}

/// Whether the `Accept` header names this media type. Wildcards and quality values are ignored.
fn accepts(headers: &HeaderMap, content_type: &str) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| range.trim().to_ascii_lowercase().starts_with(content_type))
}

fn respond(status: StatusCode, content_type: &'static str, content: String) -> Response<StreamBody> {
    let mut response = Response::new(body::full(content));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

const ENDPOINTS: [&str; 5] = ["/", "/livez", "/metrics", "/readyz", "/status.json"];

/// Headers of every response: it must not be cached, sniffed, framed or embedded, and the page loads only its own script
/// and style.
const HEADERS: [(HeaderName, &str); 6] = [
    (CACHE_CONTROL, "no-store"),
    (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];
