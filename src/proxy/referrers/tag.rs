//! Reads the referrers of a manifest from their tag, and recognizes tags that return the subject instead.

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};

use super::super::Proxy;
use super::super::classify::Call;
use super::super::error_response::ErrorResponse;
use super::super::fetch::fetch;
use super::super::redirect::FetchOutcome;
use super::super::response_headers::{self, DOCKER_CONTENT_DIGEST};
use super::super::upstream_request::UpstreamRequest;
use super::super::{registry_error, response_body};
use crate::net::body::drain;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::blob_hash;
use crate::oci::error::ErrorCode;
use crate::oci::media::OCI_INDEX;
use crate::oci::operation::Operation;
use crate::oci::query::Query;
use crate::oci::reference::{Digest, Reference};
use crate::oci::referrers::{NotAList, ReferrersList};

/// The manifest under a referrers tag.
#[derive(Debug)]
pub(super) struct TaggedList {
    /// The headers of its response that also apply to a list of referrers.
    pub headers: HeaderMap,
    pub document: Bytes,
    pub list: ReferrersList,
}

/// Fetches the list under `tag`, which needs the same permission as the list of the API. `None` if there is no such tag,
/// or if it is a manifest other than an image index: then it lists no referrers.
///
/// # Errors
///
/// Any response that does not show what the tag contains: an error other than 404 and 403, or a list that cannot be read.
pub(super) async fn fetch_list(
    proxy: &Proxy,
    call: &Call,
    (tag, subject): (&Reference, &Digest),
    client: &HeaderMap,
    record: &mut Record,
) -> Result<Option<TaggedList>, ErrorResponse> {
    let Some(name) = call.operation.repository().cloned() else { return Ok(None) };
    let operation = Operation::ReadManifest(name, tag.clone());
    let call = Call { operation, method: Method::GET, query: Query::default(), ..call.clone() };
    let mut headers = client.clone();
    headers.insert(ACCEPT, HeaderValue::from_static(OCI_INDEX));
    let request = UpstreamRequest::new(proxy, &call, &headers, Bytes::new())?.without_conditions();
    let (response, step) = match fetch(proxy, &call, &request, record).await? {
        FetchOutcome::Registry(response) => (response, Step::Registry),
        FetchOutcome::RedirectTarget(response) => (response, Step::Redirect),
        FetchOutcome::PassedToClient(_) => return Err(call.unusable_response("it redirects a list of referrers")),
    };
    let (mut head, body) = response.into_parts();
    match head.status {
        StatusCode::OK => {}
        // The same token has just been good for this repository, so a 403 is how some registries say that a manifest is
        // missing.
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => {
            drain(body).await;
            return Ok(None);
        }
        status if status.is_client_error() || status.is_server_error() => {
            return Err(registry_error::from_response(&call, &head, body, step).await);
        }
        status => return Err(call.unusable_response(&format!("it answered {status} to a request for the tag {tag}"))),
    }
    if response_body::is_web_page(&head.headers) {
        return Err(call.unusable_response(&format!("it is a web page instead of the manifest of the tag {tag}")));
    }
    // Reading the body adds the type that the content implies.
    let has_list_type = response_body::has_type(&head.headers, OCI_INDEX);
    let document = response_body::read(&call, &mut head, body).await?;
    let list = match ReferrersList::parse(&document) {
        Ok(list) => list,
        Err(NotAList::OtherDocument) if !has_list_type => return Ok(None),
        Err(_) => return Err(unreadable_list(&call, &format!("the manifest of the tag {tag}"))),
    };
    if blob_hash::matches(subject, &document) == Some(true) {
        return Ok(None);
    }
    let headers = response_headers::of_error(&head.headers, head.status).collect();
    Ok(Some(TaggedList { headers, document, list }))
}

/// A 502 for a list of referrers that cannot be parsed. `what` names the document.
pub(super) fn unreadable_list(call: &Call, what: &str) -> ErrorResponse {
    call.unusable_response(&format!("the list of referrers cannot be read: {what} is not a valid image index"))
}

/// Whether the response to a referrers tag is the subject itself: some registries return the manifest whose digest the
/// tag contains.
pub fn is_subject_manifest(call: &Call, head: &response::Parts) -> bool {
    let Operation::ReadManifest(_, reference @ Reference::Tag(_)) = &call.operation else { return false };
    let digest = head.headers.get(DOCKER_CONTENT_DIGEST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    call.routed.upstream.profile().referrers_tag_returns_subject
        && head.status.is_success()
        && digest.split_once(':').is_some_and(|(algorithm, hex)| reference.as_str() == format!("{algorithm}-{hex}"))
}

/// A 404 for a referrers tag that returns the subject.
pub fn no_tag_error(call: &Call) -> ErrorResponse {
    let message = format!(
        "{} has no such referrers tag: it returned the manifest whose digest the tag contains",
        call.registry()
    );
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, Blame::Registry, Step::Registry, message)
}
