//! Turns error responses of registries and redirect targets into the form that clients understand.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_ENCODING;
use http::{Response, StatusCode, response};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use super::classify::Call;
use super::content_encoding::decode;
use super::error_response::ErrorResponse;
use super::response_headers;
use crate::auth::grant::Grant;
use crate::base::redaction::Redaction;
use crate::net::body::read_limited;
use crate::observe::blame::{Blame, Step};
use crate::oci::challenge::Challenge;
use crate::oci::error::{ErrorCode, ErrorEntry, is_specified_code, one_line, readable_message};
use crate::oci::operation::Operation;

/// The client's error for a 4xx or 5xx response: the same status, with code, message and detail of the response body if
/// it has usable ones. A 401 becomes a 403, because a client has no credential for the registry.
pub async fn from_response(call: &Call, head: &response::Parts, body: Incoming, step: Step) -> ErrorResponse {
    ErrorContent::read(call, head, body).await.into_error(call, head, step)
}

/// The client's error for a challenge (a 401, or the 403 of some registries) if no other authorization helps. It is a
/// 403: a 401 would make the client authenticate itself, with a credential that it does not have.
pub async fn access_denied(call: &Call, grant: &Grant, head: &response::Parts, body: Incoming) -> ErrorResponse {
    let content = ErrorContent::read(call, head, body).await;
    let registry = call.registry();
    let action = match call.operation.repository() {
        Some(name) => format!("{} of {name}", call.operation.access().as_str()),
        None => call.operation.as_str().to_owned(),
    };
    let how = match (&grant.fell_back_from, grant.absence(), grant.header()) {
        (Some(source), ..) => format!("without a credential, after rejecting the credential from {source}"),
        (None, Some(why), _) => format!("without a credential ({why})"),
        (None, None, None) => "without a credential".to_owned(),
        (None, None, Some(_)) => format!("with {}", grant.source()),
    };
    let reason = content.message.map(|message| format!(" (registry message: {message})")).unwrap_or_default();
    if grant.header().is_none() && grant.fell_back_from.is_none() && !has_known_challenge(head) {
        let message = format!(
            "{registry} denies {action} and requires an unsupported kind of authorization (regpass supports Basic, and Bearer with a realm){reason}"
        );
        return ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Registry, Step::Challenge, message);
    }
    let message = format!(
        "{registry} denies {action} {how}: the repository does not exist, or needs a credential that permits this; see `credential` in [registry.\"{registry}\"]{reason}"
    );
    let mut error =
        ErrorResponse::new(StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Registry, message);
    error.upstream_detail = content.detail;
    error
}

/// The message for a credential that the registry rejects with `message`.
pub fn credential_rejected(call: &Call, grant: &Grant, message: &str) -> String {
    let registry = call.registry();
    format!(
        "{registry} rejected the credential from {}: {message}; see `credential` in [registry.\"{registry}\"]",
        grant.source()
    )
}

/// Why a request was anonymous although a source of credentials is configured.
#[derive(Clone, Debug)]
struct Anonymity(String);

/// Notes on a refusal why its request was anonymous: the registry rejected the configured credential before, or the
/// configured source has none for the registry.
pub fn note_anonymity<B>(response: &mut Response<B>, grant: &Grant) {
    let why = match (&grant.fell_back_from, grant.absence()) {
        _ if !response.status().is_client_error() => None,
        (Some(source), _) => Some(format!("after it rejected the credential from {source}")),
        (None, absence) => absence.map(|why| format!("and {why}")),
    };
    if let Some(why) = why {
        response.extensions_mut().insert(Anonymity(why));
    }
}

/// Whether the response has a challenge that regpass supports: Basic, or Bearer with a realm.
fn has_known_challenge(head: &response::Parts) -> bool {
    let challenges = Challenge::parse_all(&head.headers);
    challenges.iter().any(|one| one.scheme == "basic" || (one.scheme == "bearer" && one.param("realm").is_some()))
}

/// The content of an error body. A code, message or detail that repeats a secret of the request is dropped.
#[derive(Debug)]
pub struct ErrorContent {
    /// The code as the registry sent it, which need not be one of the specification.
    pub code: Option<String>,
    pub message: Option<String>,
    detail: Value,
}

impl ErrorContent {
    pub async fn read(call: &Call, head: &response::Parts, body: Incoming) -> Self {
        let idle = call.routed.upstream.timeouts.body_idle;
        let body = if call.is_head() {
            bytes::Bytes::new()
        } else {
            let reading = timeout(ERROR_BODY_TIMEOUT, read_limited(body, MAX_ERROR_SIZE, idle));
            reading.await.ok().and_then(Result::ok).unwrap_or_default()
        };
        let body = decode(body, head.headers.get(CONTENT_ENCODING), MAX_ERROR_SIZE).unwrap_or_default();
        let redaction = head.extensions.get::<Arc<Redaction>>().cloned().unwrap_or_default();
        // Checked before the text is shortened, because part of a secret is still secret.
        let is_clean = |text: &String| !text.is_empty() && !redaction.leaks_in(text);
        if let Some(ErrorEntry { code, message, detail }) = ErrorEntry::parse_all(&body).into_iter().next() {
            return Self {
                code: Some(code).filter(is_clean).map(|code| one_line(&code)),
                message: Some(message).filter(is_clean).map(|message| one_line(&message)),
                detail: if redaction.leaks_in(detail.to_string()) { Value::Null } else { detail },
            };
        }
        let whole = String::from_utf8_lossy(&body).into_owned();
        let message = Some(whole).filter(is_clean).and_then(|_| readable_message(&body)).filter(is_clean);
        Self { code: None, message, detail: Value::Null }
    }

    /// See [`from_response`].
    pub fn into_error(self, call: &Call, head: &response::Parts, step: Step) -> ErrorResponse {
        let status = if head.status == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { head.status };
        let server = if step == Step::Redirect { "the blob store" } else { "the registry" };
        let blame = match (step, status) {
            (Step::Redirect, _) => Blame::Storage,
            (_, status) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Blame::Registry,
            (_, StatusCode::FORBIDDEN) => Blame::Credential,
            _ => Blame::Client,
        };
        let code = self
            .code
            .filter(|code| head.status != StatusCode::UNAUTHORIZED && is_understood_code(code, status))
            .unwrap_or_else(|| code_for(&call.operation, status).as_str().to_owned());
        let mut message = self.message.unwrap_or_else(|| format!("{}: {server} answered {status}", call.registry()));
        if let Some(Anonymity(why)) = head.extensions.get().filter(|_| status == StatusCode::FORBIDDEN) {
            message = format!("{} denies anonymous access, {why}: {message}", call.registry());
        }
        let mut error = ErrorResponse::new(status, ErrorCode::Unknown, blame, step, message);
        error.code = code.into();
        error.upstream_detail = self.detail;
        error.headers = response_headers::of_error(&head.headers, status).collect();
        error
    }
}

/// Whether the registry's code may reach the client. Clients act on the code of a 404 (missing tag, no referrers API),
/// so it must be one of the specification; Harbor sends its own. With other statuses the code is only shown to people.
fn is_understood_code(code: &str, status: StatusCode) -> bool {
    status != StatusCode::NOT_FOUND || is_specified_code(code)
}

/// The code for an error response that has no usable one.
fn code_for(operation: &Operation, status: StatusCode) -> ErrorCode {
    match (operation, status) {
        (Operation::ReadManifest(..), StatusCode::NOT_FOUND) => ErrorCode::ManifestUnknown,
        (Operation::ReadBlob(..), StatusCode::NOT_FOUND) => ErrorCode::BlobUnknown,
        (Operation::ContinueUpload(..), StatusCode::NOT_FOUND) => ErrorCode::BlobUploadUnknown,
        (Operation::ReadExtension(..), StatusCode::NOT_FOUND) => ErrorCode::Unsupported,
        (_, StatusCode::NOT_FOUND) => ErrorCode::NameUnknown,
        (_, status) => ErrorCode::for_status(status),
    }
}

const MAX_ERROR_SIZE: usize = 64 * 1024;
/// Maximum time to read an error body. The status alone is useful, and a token may have to be fetched next.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);
