//! Why a client and a listener did not agree on TLS, in words for who runs the listener.

use std::io;
use std::net::SocketAddr;

use rustls::{CertificateError, Error};
use tracing::{debug, warn};

use super::error::cause;
use super::sparing::Sparing;
use super::tls::{in_short, is_about_our_certificate};

/// The handshakes of one listener that failed. Whoever reaches it can fail as often as they like.
#[derive(Debug)]
pub(super) struct Failures(Sparing);

impl Failures {
    pub(super) fn new() -> Self {
        Self(Sparing::lines_a_minute(MOST_LINES))
    }

    /// Logs it where somebody has something to mend: not where a client only left or was slow, as probes do.
    pub(super) fn tell(&self, error: &io::Error, client: Option<SocketAddr>) {
        let Some(why) = cause::<Error>(error) else { return };
        let from = client.map(tracing::field::display);
        if let Some(untold) = self.0.untold() {
            let untold = (untold > 0).then_some(untold);
            warn!(blame = "client", from, untold, "a TLS connection was not made: {}", describe(why));
        } else {
            debug!(from, "a TLS connection was not made: {}", describe(why));
        }
    }
}

fn describe(error: &Error) -> String {
    use CertificateError as Bad;
    match error {
        Error::NoCertificatesPresented => "the client showed no certificate, and 'clients' asks for one".to_owned(),
        // A signature is bad when an authority was made anew under its old name.
        Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            "the client's certificate is of no authority in 'mtls_ca'".to_owned()
        }
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "the client's certificate has expired (or this machine's clock is wrong)".to_owned()
        }
        Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "the client's certificate is not valid yet (or this machine's clock is wrong)".to_owned()
        }
        Error::InvalidCertificate(other) => {
            format!(
                "the client's certificate cannot be used ({}); it has to be of X.509 version 3, for client authentication",
                in_short(other)
            )
        }
        Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!(
                "the client does not believe the certificate in 'tls' ({alert:?}): give it the authority, or mend the names"
            )
        }
        Error::InvalidMessage(_) => "the client does not speak TLS; it should come by https://".to_owned(),
        other => in_short(other),
    }
}

/// In a minute.
const MOST_LINES: u32 = 10;
