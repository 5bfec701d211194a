//! Every way a request can fail, as one thing: a status, an error body, and whose fault it is.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::auth::error::AuthError;
use crate::net::body::{self, StreamBody};
use crate::net::error::TransportError;
use crate::net::spool::{ClientFault, Spent};
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;
use crate::upstream::BadTls;

/// A failure on its way to the client.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub code: Box<str>,
    /// What happened and what to do about it. Never a secret.
    pub message: String,
    pub blame: Blame,
    pub step: Step,
    /// The registry's own `detail`, when it sent one.
    pub upstream_detail: Value,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
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

    /// Whether it is the registry's word that there is no such thing.
    pub fn is_absence(&self) -> bool {
        (self.status, self.blame, self.step) == (StatusCode::NOT_FOUND, Blame::Client, Step::Registry)
    }

    /// The error envelope of the distribution specification, with `detail` naming registry, step and whose fault.
    pub fn response(&self, registry: Option<&str>) -> Response<StreamBody> {
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

    /// A request that got no answer from the registry or from where it redirected.
    pub fn transport(error: &TransportError, what: &str, step: Step) -> Self {
        match error {
            TransportError::Client(fault) => return client_fault(*fault),
            TransportError::Spent(spent) => return spent_body(spent, what),
            _ => {}
        }
        // The same for the same outage, whether it was met now or is remembered.
        let status = if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
        let blame = match step {
            _ if error.is_of_proxy() => Blame::Configuration,
            Step::Redirect => Blame::Storage,
            _ => Blame::Registry,
        };
        let failure =
            Self::new(status, ErrorCode::Unavailable, blame, step, format!("{what} cannot be reached: {error}"));
        match error {
            TransportError::CircuitOpen { wait, .. } => {
                failure.with_header(http::header::RETRY_AFTER, &wait.as_secs().max(1).to_string())
            }
            _ => failure,
        }
    }

    pub fn tls(error: &BadTls) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            ErrorCode::Unavailable,
            Blame::Configuration,
            Step::Registry,
            error.to_string(),
        )
    }

    /// No authorization to be had.
    pub fn auth(error: &AuthError, registry: &str) -> Self {
        let bad_gateway = StatusCode::BAD_GATEWAY;
        let (status, code, blame, step) = match error.inner() {
            AuthError::Credential { .. } => (bad_gateway, ErrorCode::Unauthorized, Blame::Credential, Step::Credential),
            AuthError::NoLogin { .. } => {
                (StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Credential)
            }
            AuthError::Realm(_) | AuthError::RealmSeesNoCredentials { .. } => {
                (bad_gateway, ErrorCode::Denied, Blame::Registry, Step::Challenge)
            }
            AuthError::NotGranted { .. } | AuthError::TokenRefused { .. } => {
                (StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Token)
            }
            AuthError::Remembered(_) => (StatusCode::FORBIDDEN, ErrorCode::Denied, Blame::Credential, Step::Registry),
            AuthError::TokenBusy { status, .. } => {
                (*status, ErrorCode::for_status(*status), Blame::TokenService, Step::Token)
            }
            AuthError::TokenTimeout { .. } => {
                (StatusCode::GATEWAY_TIMEOUT, ErrorCode::Unavailable, Blame::TokenService, Step::Token)
            }
            AuthError::TokenTransport { why, .. } => {
                let status = if why.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { bad_gateway };
                let blame = if why.is_of_proxy() { Blame::Configuration } else { Blame::TokenService };
                (status, ErrorCode::Unavailable, blame, Step::Token)
            }
            AuthError::TokenStatus { .. } | AuthError::TokenReply { .. } | AuthError::TokenBody { .. } => {
                (bad_gateway, ErrorCode::Unavailable, Blame::TokenService, Step::Token)
            }
            AuthError::Ping(why) => return Self::transport(why, registry, Step::Challenge),
            AuthError::PingStatus { status, .. } => {
                (*status, ErrorCode::for_status(*status), Blame::Registry, Step::Challenge)
            }
            AuthError::Tls(_) => (bad_gateway, ErrorCode::Unavailable, Blame::Configuration, Step::Registry),
            AuthError::Abandoned | AuthError::Shared(_) | AuthError::WithoutLogin { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, Blame::Proxy, Step::Token)
            }
        };
        let message = match error.inner() {
            // Told before, to a client, and complete as it was.
            AuthError::Remembered(message) => message.clone(),
            _ => format!("{registry}: {error}"),
        };
        let failure = Self::new(status, code, blame, step, message);
        match error.inner() {
            AuthError::TokenBusy { retry_after: Some(wait), .. }
            | AuthError::PingStatus { retry_after: Some(wait), .. } => {
                failure.with_header(http::header::RETRY_AFTER, &seconds(*wait).to_string())
            }
            _ => failure,
        }
    }
}

/// Whole seconds that are not too few.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A body that the client did not send to its end.
pub fn client_fault(fault: ClientFault) -> Failure {
    let status = match fault {
        ClientFault::Broken => StatusCode::BAD_REQUEST,
        ClientFault::Idle(_) => StatusCode::REQUEST_TIMEOUT,
    };
    Failure::new(status, ErrorCode::BlobUploadInvalid, Blame::Client, Step::Transfer, fault.to_string())
}

/// A token refused after more of a body than can be sent again: by the next try there is a better one.
fn spent_body(spent: &Spent, what: &str) -> Failure {
    let message = format!(
        "{what} refused the token in the middle of an upload: {spent}; a new token is there, so send the body again"
    );
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, Blame::Registry, Step::Transfer, message)
        .with_header(http::header::RETRY_AFTER, "1")
}
