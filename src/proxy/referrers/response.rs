//! The client's response with a list of referrers.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, WARNING};
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};
use hyper::body::Incoming;

use super::super::Proxy;
use super::super::classify::Call;
use super::super::content_encoding::is_encoded;
use super::super::error_response::ErrorResponse;
use super::super::response::{ClientResponse, check_status};
use super::super::response_headers::{self, DOCKER_CONTENT_DIGEST};
use super::super::upstream_request::UpstreamRequest;
use super::super::{paging, response_body};
use super::tag::{TaggedList, unreadable_list};
use crate::net::body::{self, drain};
use crate::oci::media::OCI_INDEX;
use crate::oci::reference::Reference;
use crate::oci::referrers::{ARTIFACT_TYPE, ReferrersList, requested_types};

/// The response for a response of the registry's API: a list, or a 304. `None` if its body is no list and does not claim to
/// be one, so that it is not the API's.
pub(super) async fn from_api(
    proxy: &Arc<Proxy>,
    call: &Call,
    request: UpstreamRequest,
    (mut head, body): (response::Parts, Incoming),
) -> Result<Option<ClientResponse>, ErrorResponse> {
    check_status(call, &request, &head)?;
    let types = requested_types(&call.query);
    let has_list_type = response_body::has_type(&head.headers, OCI_INDEX);
    let mut headers = response_headers::forwarded(&head.headers);
    paging::rewrite_link(call, &head.headers, &mut headers);
    let is_filtered = note_filter(&mut headers, &types);
    let may_change = is_encoded(&headers) || !types.is_empty() || !has_list_type;
    if has_list_type {
        call.routed.upstream.referrers.learn(true);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    }
    if call.is_head() || head.status == StatusCode::NOT_MODIFIED {
        drain(body).await;
        // The list for a GET may get fewer entries, and so another digest and length.
        if !types.is_empty() {
            headers.remove(DOCKER_CONTENT_DIGEST);
        }
        if may_change || head.status == StatusCode::NOT_MODIFIED {
            headers.remove(CONTENT_LENGTH);
            headers.remove(CONTENT_ENCODING);
        }
        head.headers = headers;
        return Ok(Some(ClientResponse::Ready(Response::from_parts(head, body::empty()))));
    }
    // A client may take a broken list for an empty one, so regpass checks it first, unless it is too large to read.
    if !may_change && response_body::exceeds_listing_limit(&headers) {
        head.headers = headers;
        let (proxy, call) = (proxy.clone(), Box::new(call.clone()));
        return Ok(Some(ClientResponse::Stream { head, body, proxy, call, request: Box::new(request) }));
    }
    head.headers = headers;
    let mut document = response_body::read(call, &mut head, body).await?;
    let referrers = &call.routed.upstream.referrers;
    let Ok(mut list) = ReferrersList::parse(&document) else {
        // Only a registry that has not shown its API may answer with something else.
        let is_of_api = has_list_type || referrers.has_api() == Some(true);
        return if is_of_api { Err(unreadable_list(call, "the response of its referrers API")) } else { Ok(None) };
    };
    referrers.learn(true);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if !types.is_empty() {
        let has_removed = list.keep_types(&types);
        if has_removed {
            document = list.to_json().into();
            head.headers.remove(DOCKER_CONTENT_DIGEST);
        }
        if has_removed || !is_filtered {
            warn(&mut head.headers, &format!("{} did not filter by artifactType; regpass did", call.registry()));
        }
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    Ok(Some(ClientResponse::Ready(Response::from_parts(head, body::full(document)))))
}

/// The response for the list under a referrers tag.
pub(super) fn from_tag(call: &Call, tag: &Reference, tagged: TaggedList) -> ClientResponse {
    let TaggedList { mut headers, mut document, mut list } = tagged;
    let types = requested_types(&call.query);
    note_filter(&mut headers, &types);
    if !types.is_empty() && list.keep_types(&types) {
        document = list.to_json().into();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    warn(&mut headers, &format!("{} has no referrers API; list from the tag {tag}", call.registry()));
    let mut response = Response::new(if call.is_head() { body::empty() } else { body::full(document) });
    *response.headers_mut() = headers;
    ClientResponse::Ready(response)
}

/// Sets `OCI-Filters-Applied` to what holds for the client's response: `artifactType` if and only if `types` were
/// requested, and the registry's other filters. Returns whether the registry named `artifactType`.
fn note_filter(headers: &mut HeaderMap, types: &[String]) -> bool {
    let values = headers.get_all(OCI_FILTERS_APPLIED).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_owned()).collect();
    headers.remove(OCI_FILTERS_APPLIED);
    let others = named.iter().map(String::as_str).filter(|name| !name.is_empty() && *name != ARTIFACT_TYPE);
    let own = (!types.is_empty()).then_some(ARTIFACT_TYPE);
    let applied: Vec<&str> = own.into_iter().chain(others).collect();
    if !applied.is_empty()
        && let Ok(value) = HeaderValue::from_str(&applied.join(","))
    {
        headers.insert(OCI_FILTERS_APPLIED, value);
    }
    named.iter().any(|name| name == ARTIFACT_TYPE)
}

/// Adds a warning in the form of the distribution specification ("Warnings").
fn warn(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
        headers.append(WARNING, value);
    }
}

const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
