//! Rejects the requests of other sites' pages in a browser.
//!
//! regpass uses its credentials for every client that reaches it, and a page in a browser on the same machine reaches it
//! too. A browser says where a request comes from: in `Origin` (Fetch standard, section 3.1) for requests by script and
//! for forms, and in `Sec-Fetch-Site` (Fetch Metadata Request Headers) for all others, such as images, scripts, frames
//! and links. Other clients send neither.

use http::header::{HeaderName, ORIGIN};
use http::{HeaderValue, Method, StatusCode, request};

use super::error_response::ErrorResponse;
use super::host_check::RequestHost;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;

/// Checks that the request is not from a page of another origin than `host`.
///
/// # Errors
///
/// 403 for a foreign `Origin`, and for a `Sec-Fetch-Site` of another site or of another origin on the same site.
pub fn check(head: &request::Parts, host: Option<&RequestHost>) -> Result<(), ErrorResponse> {
    if head.headers.get_all(ORIGIN).iter().any(|origin| !is_origin_of(origin, host)) {
        return Err(rejected("header `Origin`"));
    }
    if head.headers.get_all(SEC_FETCH_SITE).iter().any(|site| FOREIGN_SITES.contains(&site.as_bytes())) {
        return Err(rejected("header `Sec-Fetch-Site`"));
    }
    Ok(())
}

/// Whether the browser opens a document in a tab of its own, by a link for example. A frame is another destination.
pub fn is_navigation(head: &request::Parts) -> bool {
    let is = |name, value: &str| head.headers.get(name).is_some_and(|found: &HeaderValue| found == value);
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    reads && !head.headers.contains_key(ORIGIN) && is(SEC_FETCH_MODE, "navigate") && is(SEC_FETCH_DEST, "document")
}

fn is_origin_of(origin: &HeaderValue, host: Option<&RequestHost>) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let own = host.map(|host| &*host.authority);
    authority.zip(own).is_some_and(|(authority, own)| authority.eq_ignore_ascii_case(own))
}

fn rejected(header: &str) -> ErrorResponse {
    let message = format!("regpass rejects requests of web pages from another origin ({header})");
    ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Client, Step::Admit, message)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Another port of the same host is another origin of the same site.
const FOREIGN_SITES: [&[u8]; 2] = [b"cross-site", b"same-site"];

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::builder().uri("/v2/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn is_rejected(headers: &[(&str, &str)]) -> bool {
        let host = RequestHost { name: "localhost".into(), authority: "localhost:5050".into() };
        check(&head(headers), Some(&host)).is_err()
    }

    #[test]
    fn foreign_origins_are_rejected() {
        for (origin, expected) in [
            ("http://localhost:5050", false),
            ("http://LOCALHOST:5050", false),
            ("http://evil.example", true),
            ("http://localhost:8080", true),
            ("https://localhost:5050.evil.example", true),
            ("null", true),
            ("", true),
        ] {
            assert_eq!(is_rejected(&[("origin", origin)]), expected, "{origin}");
        }
        assert!(check(&head(&[("origin", "http://localhost")]), None).is_err());
    }

    #[test]
    fn requests_marked_as_foreign_are_rejected() {
        for (site, expected) in [("none", false), ("same-origin", false), ("same-site", true), ("cross-site", true)] {
            assert_eq!(is_rejected(&[("sec-fetch-site", site)]), expected, "{site}");
        }
        assert!(is_rejected(&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn only_a_document_of_its_own_is_a_navigation() {
        let navigation = |dest| head(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)]);
        assert!(is_navigation(&navigation("document")));
        assert!(!is_navigation(&navigation("iframe")) && !is_navigation(&navigation("embed")));
        assert!(!is_navigation(&head(&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "document")])));
        assert!(!is_navigation(&head(&[])));
    }
}
