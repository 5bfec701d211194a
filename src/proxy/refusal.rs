//! Errors of registries and redirect targets, whatever they look like, in the one form clients read.

use std::time::Duration;

use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Response, StatusCode, response};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use super::call::Call;
use super::document::decoded;
use super::failure::Failure;
use super::headers;
use crate::auth::grant::Grant;
use crate::base::origin::Url;
use crate::base::sent::Sent;
use crate::net::body::read_limited;
use crate::observe::blame::{Blame, Step};
use crate::oci::challenge::Challenge;
use crate::oci::error::{ErrorCode, ErrorEntry, is_specified, one_line, readable};
use crate::oci::operation::Operation;

/// An answer of 4xx or 5xx: code, message and detail as far as the upstream's body tells, the status kept.
pub async fn normalized(call: &Call, head: &response::Parts, body: Incoming, step: Step) -> Failure {
    let told = Told::read(call, head, body).await;
    // A 401 is for whoever can log in, which a client of ours cannot.
    let status = if head.status == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { head.status };
    let who = if step == Step::Redirect { "where it keeps its blobs" } else { "the registry" };
    let blame = match (step, status) {
        (Step::Redirect, _) => Blame::Storage,
        (_, status) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Blame::Registry,
        (_, StatusCode::FORBIDDEN) => Blame::Credential,
        _ => Blame::Client,
    };
    let code = told
        .code
        .filter(|code| head.status != StatusCode::UNAUTHORIZED && is_understood(code, status))
        .unwrap_or_else(|| code_for(&call.operation, status).as_str().to_owned());
    let mut message = told.message.unwrap_or_else(|| format!("{}: {who} answered {status}", call.registry()));
    if let Some(Rejected(login)) = head.extensions.get().filter(|_| status == StatusCode::FORBIDDEN) {
        message =
            format!("{} refuses this anonymously, after rejecting the login from {login}: {message}", call.registry());
    }
    let mut failure = Failure::new(status, ErrorCode::Unknown, blame, step, message);
    failure.code = code.into();
    failure.upstream_detail = told.detail;
    failure.headers = headers::of_refusal(&head.headers, status).collect();
    failure
}

/// A 401 that no further authorization will change. Clients never see it as a 401: they would start a login of their
/// own, with credentials they do not have.
pub async fn denied(call: &Call, grant: &Grant, head: &response::Parts, body: Incoming) -> Failure {
    let told = Told::read(call, head, body).await;
    let registry = call.registry();
    let what = match call.operation.repository() {
        Some(name) => format!("{} of {name}", call.operation.access().as_str()),
        None => call.operation.as_str().to_owned(),
    };
    let with = match (&grant.fell_back_from, grant.header()) {
        (Some(login), _) => format!("anonymously, after rejecting the login from {login}"),
        (None, None) => "without a login".to_owned(),
        (None, Some(_)) => format!("with {}", grant.source()),
    };
    let said = told.message.map(|message| format!(" (it says: {message})")).unwrap_or_default();
    if grant.header().is_none() && grant.fell_back_from.is_none() && !asks_in_a_known_form(head) {
        let message = format!("{registry} refuses {what} and asks for authorization in no form that is known{said}");
        return Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Registry, Step::Challenge, message);
    }
    let message = format!(
        "{registry} refuses {what} {with}: the repository does not exist, or it needs a login that may do this; see 'credential' of [registry.\"{registry}\"]{said}"
    );
    let mut failure =
        Failure::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Registry, message);
    failure.upstream_detail = told.detail;
    failure
}

/// What a refusal in the registry's words means for whoever configured the login.
pub fn of_login(call: &Call, grant: &Grant, told: &str) -> String {
    let registry = call.registry();
    format!(
        "{registry} refuses the login from {}: {told}; see 'credential' of [registry.\"{registry}\"]",
        grant.source()
    )
}

/// Where the login came from that was rejected before the request went without it.
#[derive(Clone, Debug)]
struct Rejected(Box<str>);

/// Remembers on a response that its request went without the login there is.
pub fn note_rejected<B>(response: &mut Response<B>, grant: &Grant) {
    if let Some(login) = &grant.fell_back_from {
        response.extensions_mut().insert(Rejected(login.clone()));
    }
}

fn asks_in_a_known_form(head: &response::Parts) -> bool {
    let challenges = Challenge::parse_all(&head.headers);
    challenges.iter().any(|one| one.scheme == "basic" || (one.scheme == "bearer" && one.param("realm").is_some()))
}

/// Remembers on a response what its request carried, so that the words of an error can be checked for it.
pub fn note_sent<B>(response: &mut Response<B>, authorization: Option<&HeaderValue>, url: &Url) {
    if response.status().is_client_error() || response.status().is_server_error() {
        let header = authorization.map(Sent::header).unwrap_or_default();
        response.extensions_mut().insert(header.and(Sent::url(url)));
    }
}

/// What an error body tells, without what repeats a secret.
struct Told {
    code: Option<String>,
    message: Option<String>,
    detail: Value,
}

impl Told {
    async fn read(call: &Call, head: &response::Parts, body: Incoming) -> Self {
        let idle = call.routed.upstream.timeouts.body_idle;
        let body = if call.is_head() {
            bytes::Bytes::new()
        } else {
            let reading = timeout(ERROR_PATIENCE, read_limited(body, LARGEST_ERROR, idle));
            reading.await.ok().and_then(Result::ok).unwrap_or_default()
        };
        let body = decoded(body, head.headers.get(CONTENT_ENCODING), LARGEST_ERROR).unwrap_or_default();
        let nothing = Sent::default();
        let sent = head.extensions.get::<Sent>().unwrap_or(&nothing);
        // Words are looked at before anything is cut from them, because a cut secret is a secret still.
        let clean = |text: &String| !text.is_empty() && !sent.is_in(text);
        if let Some(ErrorEntry { code, message, detail }) = ErrorEntry::parse_all(&body).into_iter().next() {
            return Self {
                code: Some(code).filter(clean).map(|code| one_line(&code)),
                message: Some(message).filter(clean).map(|message| one_line(&message)),
                detail: if sent.is_in(&detail.to_string()) { Value::Null } else { detail },
            };
        }
        let whole = String::from_utf8_lossy(&body).into_owned();
        let message = Some(whole).filter(clean).and_then(|_| readable(&body)).filter(clean);
        Self { code: None, message, detail: Value::Null }
    }
}

/// Whether clients know what to do with a code. To many a 404 is an answer that they go on from (is there such a tag? a
/// referrers API?), by the specification's code; Harbor has a word of its own there. Other errors end what they do,
/// and people read the word.
fn is_understood(code: &str, status: StatusCode) -> bool {
    status != StatusCode::NOT_FOUND || is_specified(code)
}

/// The specification's code for a status whose body named none.
fn code_for(operation: &Operation, status: StatusCode) -> ErrorCode {
    match (operation, status) {
        (Operation::ReadManifest(..), StatusCode::NOT_FOUND) => ErrorCode::ManifestUnknown,
        (Operation::ReadBlob(..), StatusCode::NOT_FOUND) => ErrorCode::BlobUnknown,
        (Operation::ContinueUpload(..), StatusCode::NOT_FOUND) => ErrorCode::BlobUploadUnknown,
        (_, StatusCode::NOT_FOUND) => ErrorCode::NameUnknown,
        (_, status) => ErrorCode::for_status(status),
    }
}

const LARGEST_ERROR: usize = 64 * 1024;
/// How long the words of an error are waited for: the status alone says most, and a token may have to be fetched yet.
const ERROR_PATIENCE: Duration = Duration::from_secs(3);
