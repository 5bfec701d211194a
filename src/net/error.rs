//! Failures of requests to another host.

use std::io;
use std::time::Duration;

use super::address_policy::AddressRejected;
use super::cause::{BoxError, ConnectTimedOut, NameLookup, cause};
use super::spool::{ClientFault, NotReplayable};
use super::tunnel::ProxyError;

/// Why a request got no response head. The messages complete `<host> cannot be reached: `, except those of
/// `ClientFault` and `BodyNotReplayable`.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("{0}")]
    AddressRejected(AddressRejected),
    #[error("the connection closed before a response arrived")]
    ConnectionLost(#[source] BoxError),
    /// regpass did not send the request, because the last ones to this origin failed. `last` is their last message.
    #[error("{last} ({failures} failures in a row; next attempt in {} s)", retry_in.as_secs().max(1))]
    CircuitOpen { last: Box<str>, is_timeout: bool, is_proxy_fault: bool, failures: u32, retry_in: Duration },
    /// The kind of the IO error: `connection refused`.
    #[error("{0}")]
    Connect(String),
    #[error("no connection within {} s", .0.as_secs())]
    ConnectTimeout(Duration),
    #[error("{0}")]
    ClientFault(#[from] ClientFault),
    #[error("no response within {} s", .0.as_secs())]
    HeadTimeout(Duration),
    #[error("its response is not valid HTTP: {0}")]
    InvalidResponse(String),
    #[error("its host name cannot be resolved")]
    NameLookup,
    #[error("{0}")]
    Proxy(ProxyError),
    #[error("{0}")]
    BodyNotReplayable(#[from] NotReplayable),
    #[error("{0}")]
    Tls(String),
}

impl TransportError {
    /// Classifies an error of hyper by its chain of causes.
    pub(super) fn from_hyper(error: hyper_util::client::legacy::Error, connect_limit: Duration) -> Self {
        // First, because the proxy's error wraps the causes that are checked below.
        if let Some(proxy) = cause::<ProxyError>(&error) {
            return Self::Proxy(proxy.clone());
        }
        if let Some(rejected) = cause::<AddressRejected>(&error) {
            return Self::AddressRejected(*rejected);
        }
        if cause::<ConnectTimedOut>(&error).is_some() {
            return Self::ConnectTimeout(connect_limit);
        }
        if cause::<NameLookup>(&error).is_some() {
            return Self::NameLookup;
        }
        if let Some(tls) = cause::<rustls::Error>(&error) {
            return Self::Tls(super::tls_error::describe(tls));
        }
        if error.is_connect() {
            let kind = cause::<io::Error>(&error).map(|io| io.kind().to_string());
            return Self::Connect(kind.unwrap_or_else(|| "the connection failed".to_owned()));
        }
        if let Some(http) = cause::<hyper::Error>(&error).filter(|error| error.is_parse()) {
            return Self::InvalidResponse(http.to_string());
        }
        Self::ConnectionLost(error.into())
    }

    /// Whether the host is probably down or unreachable, so that its circuit breaker counts the failure.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect(_) | Self::ConnectTimeout(_) | Self::HeadTimeout(_) | Self::NameLookup => true,
            Self::Proxy(proxy) => proxy.failure.is_outage(),
            _ => false,
        }
    }

    /// Whether the failure, or the last one before an open circuit, was a timeout.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::ConnectTimeout(_) | Self::HeadTimeout(_) | Self::CircuitOpen { is_timeout: true, .. } => true,
            Self::Proxy(proxy) => proxy.failure.is_timeout(),
            _ => false,
        }
    }

    /// Whether the failure, or the last one before an open circuit, was caused by a proxy or by the environment
    /// variable that names it.
    pub fn is_proxy_fault(&self) -> bool {
        match self {
            Self::CircuitOpen { is_proxy_fault, .. } => *is_proxy_fault,
            Self::Proxy(proxy) => proxy.failure.is_proxy_fault(),
            _ => false,
        }
    }
}

/// Whether the connection closed before the response's head was complete (hyperium/hyper#3553).
pub(super) fn is_closed_connection(error: &hyper_util::client::legacy::Error) -> bool {
    if error.is_connect() {
        return false;
    }
    let closed = cause::<hyper::Error>(error)
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed());
    let reset = cause::<io::Error>(error).is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                // TLS without its closing alert.
                | io::ErrorKind::UnexpectedEof
        )
    });
    closed || reset
}
