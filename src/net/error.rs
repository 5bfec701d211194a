//! What can go wrong between us and another host, in words for people.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::address::AddressRefused;
use super::client::ConnectTimedOut;
use super::direct::NameLookup;
use super::spool::{ClientFault, Spent};
use super::tunnel::ProxyFailed;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a request got no response head.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("{0}")]
    AddressRefused(AddressRefused),
    #[error("the connection broke before an answer came")]
    Broken(#[source] BoxError),
    /// Nobody asked, because of what came of it the last times.
    #[error("{last} ({failures} times in a row; the next try is in {} s)", wait.as_secs().max(1))]
    CircuitOpen { last: Box<str>, timed_out: bool, by_proxy: bool, failures: u32, wait: Duration },
    #[error("it does not accept connections ({0})")]
    Connect(String),
    #[error("no connection within {} s", .0.as_secs())]
    ConnectTimeout(Duration),
    #[error("{0}")]
    Client(#[from] ClientFault),
    #[error("no answer within {} s", .0.as_secs())]
    HeadTimeout(Duration),
    #[error("its name cannot be resolved")]
    NameLookup,
    #[error("{0}")]
    Proxy(ProxyFailed),
    #[error("{0}")]
    Spent(#[from] Spent),
    #[error("{0}")]
    Tls(String),
}

impl TransportError {
    /// Reads hyper's error chain.
    pub(super) fn from_hyper(error: hyper_util::client::legacy::Error, connect_limit: Duration) -> Self {
        // Before everything else: what it met is inside.
        if let Some(failed) = cause::<ProxyFailed>(&error) {
            return Self::Proxy(failed.clone());
        }
        if let Some(refused) = cause::<AddressRefused>(&error) {
            return Self::AddressRefused(*refused);
        }
        if cause::<ConnectTimedOut>(&error).is_some() {
            return Self::ConnectTimeout(connect_limit);
        }
        if cause::<NameLookup>(&error).is_some() {
            return Self::NameLookup;
        }
        if let Some(tls) = tls_cause(&error) {
            return Self::Tls(super::tls::describe(tls));
        }
        if error.is_connect() {
            let kind = cause::<io::Error>(&error).map(|io| io.kind().to_string());
            return Self::Connect(kind.unwrap_or_else(|| "connection failed".to_owned()));
        }
        Self::Broken(error.into())
    }

    /// Whether it shows that the host is down or away, as opposed to odd or forbidden.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect(_) | Self::ConnectTimeout(_) | Self::HeadTimeout(_) | Self::NameLookup => true,
            Self::Proxy(failed) => failed.why.is_outage(),
            _ => false,
        }
    }

    /// Whether a deadline passed, now or the last time.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::ConnectTimeout(_) | Self::HeadTimeout(_) | Self::CircuitOpen { timed_out: true, .. } => true,
            Self::Proxy(failed) => failed.why.is_timeout(),
            _ => false,
        }
    }

    /// Whether it is a proxy's fault, or that of the variable that names it, now or the last time.
    pub fn is_of_proxy(&self) -> bool {
        match self {
            Self::CircuitOpen { by_proxy, .. } => *by_proxy,
            Self::Proxy(failed) => failed.why.is_its_own(),
            _ => false,
        }
    }
}

/// Whether a pooled connection turned out to be closed by its other end before it answered: a request without a body
/// may then be sent again (hyperium/hyper#3553).
pub(super) fn is_stale_connection(error: &hyper_util::client::legacy::Error) -> bool {
    if error.is_connect() {
        return false;
    }
    let closed = cause::<hyper::Error>(error)
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed());
    let reset = cause::<io::Error>(error).is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        )
    });
    closed || reset
}

/// The first error of type `T` on the way down from `error`. An `io::Error` hides what it wraps from `source()`.
pub(super) fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => current.source(),
        };
    }
    None
}

fn tls_cause(error: &hyper_util::client::legacy::Error) -> Option<&rustls::Error> {
    cause::<rustls::Error>(error)
}
