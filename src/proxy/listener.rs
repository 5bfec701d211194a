//! The listener that received a request, and the authentication of its clients.

use std::collections::BTreeSet;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{StatusCode, request};
use tracing::warn;

use super::error_response::ErrorResponse;
use crate::base::client_name::ClientName;
use crate::base::host::RegistryHost;
use crate::clients::{AuthRejection, ClientAuth};
use crate::config::model::Listener;
use crate::listen::peer::Peer;
use crate::observe::blame::{Blame, Step};
use crate::oci::error::ErrorCode;

/// The settings of a listener that apply to each of its requests.
#[derive(Clone, Debug)]
pub struct ListenerContext {
    /// The only registry that this listener serves; `None`: all of them.
    pub registry: Option<RegistryHost>,
    /// Additional host names that clients may use in `Host`.
    pub hosts: BTreeSet<Box<str>>,
    /// Whether `Host` is checked: then only `hosts`, virtual hosts, `localhost`, names below it and IP addresses are
    /// accepted.
    pub checks_host: bool,
    /// Whether `Location` and `Link` have the scheme, host name and port by which the client reached the listener.
    pub absolute_locations: bool,
    pub has_tls: bool,
    /// The rule that clients of this listener must satisfy.
    pub client_auth: ClientAuth,
}

impl ListenerContext {
    pub fn new(listener: &Listener, client_auth: ClientAuth) -> Self {
        Self {
            registry: listener.registry.clone(),
            hosts: listener.hosts.clone(),
            checks_host: listener.checks_host(),
            absolute_locations: listener.absolute_locations,
            has_tls: listener.tls.is_some(),
            client_auth,
        }
    }
}

/// Authenticates the client by the listener's rule. Returns the client's name if it is known: from the rule, or the
/// user id of a unix socket's peer.
pub async fn authenticate(
    listener: &ListenerContext,
    head: &request::Parts,
) -> Result<Option<ClientName>, ErrorResponse> {
    let unknown = Peer::default();
    let peer = head.extensions.get().unwrap_or(&unknown);
    listener.client_auth.authenticate(&head.headers, peer).await.map_err(rejected)
}

/// Checks only the peer's user id, if the listener restricts it. For health probes, which have no credential to send.
pub fn check_uid(listener: &ListenerContext, head: &request::Parts) -> Result<(), ErrorResponse> {
    let unknown = Peer::default();
    listener.client_auth.check_uid(head.extensions.get().unwrap_or(&unknown)).map_err(rejected)
}

fn rejected(why: AuthRejection) -> ErrorResponse {
    let message = why.to_string();
    match why {
        AuthRejection::NoCredential | AuthRejection::WrongCredential => {
            client_error(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
                .with_header(WWW_AUTHENTICATE, CHALLENGE)
        }
        AuthRejection::NoCertificate | AuthRejection::Uid(_) => {
            client_error(StatusCode::FORBIDDEN, ErrorCode::Denied, message)
        }
        AuthRejection::Busy => client_error(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message)
            .with_header(RETRY_AFTER, "5"),
        AuthRejection::Unreadable(error) => {
            warn!(blame = "configuration", %error, "cannot read the client credentials of a listener: regpass rejects its requests until the file can be read");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            ErrorResponse::new(status, ErrorCode::Unavailable, Blame::Configuration, Step::Admit, message)
        }
    }
}

/// regpass's own challenge; that of a registry never reaches the client.
const CHALLENGE: &str = "Basic realm=\"regpass\"";

fn client_error(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> ErrorResponse {
    ErrorResponse::new(status, code, Blame::Client, Step::Admit, message)
}
