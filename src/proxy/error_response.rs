//! Error responses to the client: status, error code, message and the side that caused the error.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::auth::error::AuthError;
use crate::net::body::{self, StreamBody};
use crate::net::error::TransportError;
use crate::net::retry_after;
use crate::net::spool::{ClientFault, NotReplayable};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::upstream::connector::TlsFilesError;

/// An error that ends a request and becomes the response to the client.
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    pub status: StatusCode,
    pub code: Box<str>,
    /// What failed and what to do about it. Contains no secret.
    pub message: String,
    pub blame: Blame,
    pub step: Step,
    /// The `detail` of the registry's error body, or null.
    pub upstream_detail: Value,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl ErrorResponse {
    pub fn new(status: StatusCode, code: ErrorCode, blame: Blame, step: Step, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.as_str().into(),
            message: message.into(),
            blame,
            step,
            upstream_detail: Value::Null,
            headers: Vec::new(),
        }
    }

    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds `Retry-After`, in whole seconds.
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.with_header(http::header::RETRY_AFTER, &retry_after::rounded_seconds(wait).to_string())
    }

    /// Whether the registry answered that the content does not exist.
    pub fn is_not_found(&self) -> bool {
        (self.status, self.blame, self.step) == (StatusCode::NOT_FOUND, Blame::Client, Step::Registry)
    }

    /// The HTTP response with the error body of the distribution specification. `detail` names registry, step and
    /// blame, and contains the registry's own detail as `upstream`.
    pub fn to_response(&self, registry: Option<&str>) -> Response<StreamBody> {
        let mut detail = json!({ "registry": registry, "step": self.step.as_str(), "blame": self.blame.as_str() });
        if !self.upstream_detail.is_null() {
            detail["upstream"] = self.upstream_detail.clone();
        }
        let envelope = json!({ "errors": [{ "code": &*self.code, "message": self.message, "detail": detail }] });
        let mut response = Response::new(body::full(envelope.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.headers.iter().cloned());
        response
    }

    /// The error for a request that got no response. `peer` names the server in the message.
    pub fn from_transport(error: &TransportError, peer: &str, step: Step) -> Self {
        match error {
            TransportError::ClientFault(fault) => return client_body_error(*fault),
            TransportError::BodyNotReplayable(error) => return body_not_replayable(error, peer),
            _ => {}
        }
        // A request that the circuit breaker rejects gets the same status as the outage before.
        let status = if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
        let blame = match step {
            _ if error.is_proxy_fault() => Blame::Configuration,
            Step::Redirect => Blame::Storage,
            _ => Blame::Registry,
        };
        let response =
            Self::new(status, ErrorCode::Unavailable, blame, step, format!("{peer} cannot be reached: {error}"));
        match error {
            TransportError::CircuitOpen { retry_in: wait, .. } => {
                response.with_header(http::header::RETRY_AFTER, &wait.as_secs().max(1).to_string())
            }
            _ => response,
        }
    }

    /// The error for TLS files of the registry that cannot be used.
    pub fn from_tls(error: &TlsFilesError) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            ErrorCode::Unavailable,
            Blame::Configuration,
            Step::Registry,
            error.to_string(),
        )
    }

    /// The error for a request that regpass cannot authorize.
    pub fn from_auth(error: &AuthError, registry: &str) -> Self {
        let bad_gateway = StatusCode::BAD_GATEWAY;
        let (status, code, blame, step) = match error.inner() {
            AuthError::Credential { .. } => (bad_gateway, ErrorCode::Unauthorized, Blame::Credential, Step::Credential),
            AuthError::NoCredential { .. } => {
                (StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Credential)
            }
            AuthError::Realm(_) | AuthError::UntrustedRealm { .. } => {
                (bad_gateway, ErrorCode::Denied, Blame::Registry, Step::Challenge)
            }
            AuthError::NotGranted { .. } | AuthError::TokenRefused { .. } => {
                (StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Token)
            }
            AuthError::RecentlyDenied(_) => {
                (StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Registry)
            }
            AuthError::UnknownNamespace { .. } => {
                (StatusCode::NOT_FOUND, ErrorCode::NameUnknown, Blame::Client, Step::Token)
            }
            AuthError::TokenBusy { status, .. } => {
                (*status, ErrorCode::for_status(*status), Blame::TokenService, Step::Token)
            }
            AuthError::TokenTimeout { .. } => {
                (StatusCode::GATEWAY_TIMEOUT, ErrorCode::Unavailable, Blame::TokenService, Step::Token)
            }
            AuthError::TokenTransport { why, .. } => {
                let status = if why.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { bad_gateway };
                let blame = if why.is_proxy_fault() { Blame::Configuration } else { Blame::TokenService };
                (status, ErrorCode::Unavailable, blame, Step::Token)
            }
            AuthError::TokenStatus { .. } | AuthError::TokenResponse { .. } | AuthError::TokenBody { .. } => {
                (bad_gateway, ErrorCode::Unavailable, Blame::TokenService, Step::Token)
            }
            AuthError::Probe(why) => return Self::from_transport(why, registry, Step::Challenge),
            AuthError::ProbeStatus { status, .. } => {
                (*status, ErrorCode::for_status(*status), Blame::Registry, Step::Challenge)
            }
            AuthError::Tls(_) => (bad_gateway, ErrorCode::Unavailable, Blame::Configuration, Step::Registry),
            AuthError::FetchAborted | AuthError::Shared(_) | AuthError::AnonymousFallback { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, Blame::Proxy, Step::Token)
            }
        };
        let message = match error.inner() {
            // The message of the earlier denial, which already names the registry.
            AuthError::RecentlyDenied(message) => message.clone(),
            _ => format!("{registry}: {error}"),
        };
        let response = Self::new(status, code, blame, step, message);
        match error.inner() {
            AuthError::TokenBusy { retry_after: Some(wait), .. }
            | AuthError::ProbeStatus { retry_after: Some(wait), .. } => response.with_retry_after(*wait),
            _ => response,
        }
    }
}

/// The error for a request body that the client did not send completely.
pub fn client_body_error(fault: ClientFault) -> ErrorResponse {
    let status = match fault {
        ClientFault::Broken => StatusCode::BAD_REQUEST,
        ClientFault::Idle(_) => StatusCode::REQUEST_TIMEOUT,
    };
    ErrorResponse::new(status, ErrorCode::BlobUploadInvalid, Blame::Client, Step::Transfer, fault.to_string())
}

/// The error for an authorization that the server rejected after regpass had streamed more of the body than it can send
/// again. regpass has a new authorization for the client's next attempt.
fn body_not_replayable(error: &NotReplayable, peer: &str) -> ErrorResponse {
    let message = format!(
        "{peer} rejected the authorization of an upload: {error}; regpass has a new one, so send the body again"
    );
    ErrorResponse::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Unavailable,
        Blame::Registry,
        Step::Transfer,
        message,
    )
    .with_header(http::header::RETRY_AFTER, "1")
}
