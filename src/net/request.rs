//! Requests of ours, as they all begin.

use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};

use super::payload::Payload;
use crate::AGENT;
use crate::base::origin::{BadUrl, Url};

/// A request to `url`, with what every request of ours carries. A missing `User-Agent` earns a 403 at Docker Hub;
/// `Host` is the upstream's own, because Harbor and distribution build URLs from it.
pub fn to(url: &Url, method: Method, headers: HeaderMap, body: impl Into<Payload>) -> Result<Request<Payload>, BadUrl> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method;
    *request.uri_mut() = url.uri()?;
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.insert(HOST, HeaderValue::from_str(&url.origin.authority()).map_err(|_| BadUrl::Characters)?);
    Ok(request)
}
