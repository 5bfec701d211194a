//! Lists of referrers: forwarded where the registry has the API, else made from the referrers tag, and filtered by
//! artifact type where the registry does not.

pub mod api;
pub mod push;
mod response;
pub mod tag;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, request};

use super::Proxy;
use super::classify::Call;
use super::error_response::ErrorResponse;
use super::fetch::fetch;
use super::redirect::FetchOutcome;
use super::registry_error::ErrorContent;
use super::response::ClientResponse;
use super::upstream_request::UpstreamRequest;
use crate::net::body::drain;
use crate::observe::blame::{Blame, Step};
use crate::observe::record::Record;
use crate::oci::error::ErrorCode;
use crate::oci::reference::{Digest, Reference};
use crate::oci::referrers::referrers_tag;
use api::Verdict;

/// Answers a request for the referrers of `subject`. A registry that is known to have no API gets one request, for the
/// referrers tag; one of which nothing is known may get both.
pub async fn serve(
    proxy: &Arc<Proxy>,
    call: Call,
    subject: &Digest,
    head: &request::Parts,
    record: &mut Record,
) -> Result<ClientResponse, ErrorResponse> {
    let upstream = call.routed.upstream.clone();
    let wants_own_answer = generalizes(&head.headers);
    if upstream.referrers.has_api() == Some(false) && !wants_own_answer {
        return from_tag(proxy, &call, subject, (&head.headers, None), record).await;
    }
    let request = UpstreamRequest::new(proxy, &call, &head.headers, Bytes::new())?;
    let (response, step) = match fetch(proxy, &call, &request, record).await? {
        FetchOutcome::Registry(response) => (response, Step::Registry),
        FetchOutcome::RedirectTarget(response) => (response, Step::Redirect),
        FetchOutcome::PassedToClient(_) => return Err(call.unusable_response("it redirects a list of referrers")),
    };
    let (response, body) = response.into_parts();
    let mut verdict = api::verdict(&call, &response);
    let is_error = response.status.is_client_error() || response.status.is_server_error();
    let answer = if is_error {
        let content = ErrorContent::read(&call, &response, body).await;
        if verdict == Verdict::ByErrorCode {
            verdict = api::verdict_by_code(response.status, content.code.as_deref());
        }
        // The registry's own words, if they can be the API's.
        let can_be_apis = upstream.referrers.has_api() == Some(true)
            || (response.status == StatusCode::NOT_FOUND && content.code.is_some());
        Err((content.into_error(&call, &response, step), can_be_apis))
    } else {
        Ok(body)
    };
    let error = match (verdict, answer) {
        (Verdict::Missing { is_certain }, answer) => {
            if is_certain {
                upstream.referrers.learn(false);
            }
            match answer {
                Ok(body) => {
                    drain(body).await;
                    None
                }
                Err((error, can_be_apis)) => (can_be_apis && !is_certain).then_some(error),
            }
        }
        (_, Err((error, _))) => return Err(error),
        (_, Ok(body)) => match response::from_api(proxy, &call, request, (response, body)).await? {
            Some(response) => return Ok(response),
            None => None,
        },
    };
    // A registry with the API lists there what it knows.
    if wants_own_answer || upstream.referrers.has_api() == Some(true) {
        return Err(error.unwrap_or_else(|| no_api_error(&call)));
    }
    from_tag(proxy, &call, subject, (&head.headers, error), record).await
}

/// Whether the client takes one list for proof that the registry has the API, so that a later 404, for a manifest without
/// the tag, is an error to it. Such a client gets the registry's own answer, and reads the tag itself.
///
/// Clients made with oras-go do so (oras 1.3.3, `discover`, observed 2026-11-30). They send no `Accept` here, as Go's HTTP
/// client leaves it out; other Go clients name the type of the list.
fn generalizes(client: &HeaderMap) -> bool {
    let takes_gzip = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"gzip");
    !client.contains_key(ACCEPT) && client.get(ACCEPT_ENCODING).is_some_and(takes_gzip)
}

/// Answers from the referrers tag. If there is none, the client gets `error`, else a 404 that says so, after which it may
/// look for the tag itself. An empty list would hide signatures.
async fn from_tag(
    proxy: &Proxy,
    call: &Call,
    subject: &Digest,
    (client, error): (&HeaderMap, Option<ErrorResponse>),
    record: &mut Record,
) -> Result<ClientResponse, ErrorResponse> {
    let none = |error: Option<ErrorResponse>| Err(error.unwrap_or_else(|| no_api_error(call)));
    let Ok(tag) = referrers_tag(subject) else { return none(error) };
    let Some(tagged) = tag::fetch_list(proxy, call, (&tag, subject), client, record).await? else {
        return none(error);
    };
    let Some(name) = call.operation.repository() else { return none(error) };
    let pushed = call.routed.upstream.referrers.recent_pushes(name, subject.as_str());
    if let Some(unlisted) = pushed.iter().find(|digest| !tagged.list.contains(digest)) {
        return Err(incomplete_tag_error(call, &tag, unlisted));
    }
    Ok(response::from_tag(call, &tag, tagged))
}

/// A 404 for a registry that has neither the API nor the tag.
fn no_api_error(call: &Call) -> ErrorResponse {
    let message =
        format!("{} has no referrers API, and no referrers tag that lists referrers of this manifest", call.registry());
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, Blame::Registry, Step::Registry, message)
}

/// A 404 for a tag that does not list a referrer that was just pushed. Some clients request the referrers after such a push
/// to find out whether they have to update the tag; a list would tell them that they need not.
fn incomplete_tag_error(call: &Call, tag: &Reference, unlisted: &str) -> ErrorResponse {
    let message = format!(
        "{} has no referrers API, and the referrers tag {tag} does not list {unlisted}, which was just pushed: the client has to update the tag",
        call.registry()
    );
    ErrorResponse::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, Blame::Registry, Step::Registry, message)
}
