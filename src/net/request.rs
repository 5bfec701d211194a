//! Building requests that regpass sends.

use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};

use super::spool::Payload;
use crate::AGENT;
use crate::base::origin::{BadUrl, Url};

/// Builds a request to `url` and adds the headers that every request carries. `User-Agent` is required, because Docker
/// Hub answers 403 without it. `Host` names the upstream, not regpass, because Harbor and distribution build URLs from
/// it.
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
