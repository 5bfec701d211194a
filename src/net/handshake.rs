//! Why a client and a listener did not agree on TLS, in words for who runs the listener.

use std::io;
use std::net::SocketAddr;

use rustls::{CertificateError, Error};
use tracing::warn;

use super::error::cause;
use super::tls::is_about_our_certificate;

/// Logs it where somebody has something to mend: not where a client only left or was slow, as probes do.
pub(super) fn tell(error: &io::Error, client: Option<SocketAddr>) {
    if let Some(why) = cause::<Error>(error) {
        let from = client.map(tracing::field::display);
        warn!(blame = "client", from, "a TLS connection was not made: {}", describe(why));
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
                "the client's certificate cannot be used ({other}); it has to be of X.509 version 3, for client authentication"
            )
        }
        Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!(
                "the client does not believe the certificate in 'tls' ({alert:?}): give it the authority, or mend the names"
            )
        }
        Error::InvalidMessage(_) => "the client does not speak TLS; it should come by https://".to_owned(),
        other => other.to_string(),
    }
}
