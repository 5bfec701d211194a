//! The log of TLS handshakes that failed, for the operator of the listener.

use std::io;
use std::net::SocketAddr;

use rustls::{CertificateError, Error};
use tracing::{debug, warn};

use super::log_throttle::LogThrottle;
use crate::net::cause::cause;
use crate::net::tls_error::{is_certificate_alert, truncated};

/// Logs the failed handshakes of one listener, a limited number a minute as warnings, because any client can cause
/// them.
#[derive(Debug)]
pub(super) struct HandshakeFailures(LogThrottle);

impl HandshakeFailures {
    pub(super) fn new() -> Self {
        Self(LogThrottle::per_minute(MAX_LINES_PER_MINUTE))
    }

    /// Logs a failed handshake if it points at a wrong setting. A client that only disconnected or was too slow, as a
    /// port probe does, is not logged.
    pub(super) fn log(&self, error: &io::Error, client: Option<SocketAddr>) {
        let Some(why) = cause::<Error>(error) else { return };
        let from = client.map(tracing::field::display);
        if let Some(suppressed) = self.0.try_line() {
            let untold = (suppressed > 0).then_some(suppressed);
            warn!(blame = "client", from, untold, "TLS handshake failed: {}", describe(why));
        } else {
            debug!(from, "TLS handshake failed: {}", describe(why));
        }
    }
}

fn describe(error: &Error) -> String {
    use CertificateError as Certificate;
    match error {
        Error::NoCertificatesPresented => "the client presented no certificate, but `clients` requires one".to_owned(),
        // The signature is wrong if an authority was replaced by a new one of the same name.
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "the client's certificate was not issued by an authority in `mtls_ca`".to_owned()
        }
        Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "the client's certificate has expired (or this machine's clock is wrong)".to_owned()
        }
        Error::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            "the client's certificate is not valid yet (or this machine's clock is wrong)".to_owned()
        }
        Error::InvalidCertificate(other) => {
            format!(
                "the client's certificate is not usable ({}); it has to be X.509 version 3, for client authentication",
                truncated(other)
            )
        }
        Error::AlertReceived(alert) if is_certificate_alert(*alert) => {
            format!(
                "the client does not trust the certificate in `tls` ({alert:?}); add its authority to the client or correct \
                 the certificate's host names"
            )
        }
        Error::InvalidMessage(_) => "the client does not speak TLS; it has to use https://".to_owned(),
        other => truncated(other),
    }
}

const MAX_LINES_PER_MINUTE: u32 = 10;
