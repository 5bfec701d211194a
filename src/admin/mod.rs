//! The admin listener: is it alive, how does it do, and what has it been doing.

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
use crate::proxy::admit::{Front, admit, identify, identify_user};
use crate::proxy::failure::Failure;

/// Answers one request of the admin listener, under the same rules as every listener. Probes have no login and need none.
pub async fn handle(proxy: &Proxy, front: &Front, request: Request<Incoming>) -> Response<StreamBody> {
    let (head, _body) = request.into_parts();
    let answer = answer(proxy, front, &head).await;
    let mut response = answer.unwrap_or_else(|failure| failure.response(None));
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(proxy: &Proxy, front: &Front, head: &request::Parts) -> Result<Response<StreamBody>, Failure> {
    admitted(front, head).await?;
    let failed = |status, code, message: &str| Failure::new(status, code, Blame::Client, Step::Route, message);
    let path = head.uri.path();
    if !ENDPOINTS.contains(&path) && !page::is_part(path) {
        let message = format!("the admin listener has {}", ENDPOINTS.join(", "));
        return Err(failed(StatusCode::NOT_FOUND, ErrorCode::Unsupported, &message));
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let failure =
            failed(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, "the endpoint takes GET, HEAD only");
        return Err(failure.with_header(ALLOW, "GET, HEAD"));
    }
    Ok(match path {
        "/livez" => text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
        "/readyz" => {
            let (status, kind, content) = health::ready(proxy, &head.headers);
            text(status, kind, content)
        }
        "/metrics" => {
            let (kind, content) = exposition::of(gauges::metrics(proxy), &head.headers);
            text(StatusCode::OK, kind, content)
        }
        "/status.json" => {
            let content = serde_json::to_string(&snapshot::of(proxy)).unwrap_or_default();
            text(StatusCode::OK, "application/json", content)
        }
        _ => {
            let (kind, content) = page::part(path, proxy);
            text(StatusCode::OK, kind, content)
        }
    })
}

async fn admitted(front: &Front, head: &request::Parts) -> Result<(), Failure> {
    admit(front, head, |_| false)?;
    match head.uri.path() {
        "/livez" | "/readyz" => identify_user(front, head),
        _ => identify(front, head).await.map(drop),
    }
}

/// Whether a client names this media type among those it takes.
fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|one| one.trim().to_ascii_lowercase().starts_with(kind))
}

fn text(status: StatusCode, kind: &'static str, content: String) -> Response<StreamBody> {
    let mut response = Response::new(body::full(content));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

const ENDPOINTS: [&str; 5] = ["/", "/livez", "/metrics", "/readyz", "/status.json"];

/// What every answer carries: nothing is kept, nothing is guessed, and a page runs and loads what is its own.
const ALWAYS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];
