//! Messages for TLS failures.

use rustls::{AlertDescription, CertificateError};

/// Describes a TLS failure of a registry, token service or blob store, with advice. Completes
/// `<host> cannot be reached: `.
pub(crate) fn describe(error: &rustls::Error) -> String {
    match Failure::of(error) {
        Failure::UnknownAuthority => {
            "its certificate is signed by an unknown authority; add the authority as `ca` of the registry or through \
             SSL_CERT_FILE"
                .to_owned()
        }
        Failure::SelfSigned => {
            "its certificate is self-signed; add this certificate as `ca` of the registry".to_owned()
        }
        Failure::ClientCertificateRequired => {
            "it requires a client certificate; set `client_certificate` of the registry".to_owned()
        }
        Failure::ClientCertificateRejected(alert) => {
            format!(
                "it requires a client certificate or rejects the one it got ({alert:?}); see `client_certificate` of the \
                 registry"
            )
        }
        Failure::NotTls => {
            "it does not speak TLS on this port; for a plain HTTP registry set its `url` to http://…".to_owned()
        }
        Failure::Other(message) => message,
    }
}

/// As [`describe`], for a proxy: the keys of a registry do not apply to it. Completes `the proxy <host> failed: `.
pub(crate) fn describe_of_proxy(error: &rustls::Error) -> String {
    match Failure::of(error) {
        Failure::UnknownAuthority => {
            "its certificate is signed by an unknown authority; add the authority to the system's certificates or \
             through SSL_CERT_FILE"
                .to_owned()
        }
        Failure::SelfSigned => {
            "its certificate is that of an authority; give the proxy one that an authority has signed".to_owned()
        }
        Failure::ClientCertificateRequired => {
            "it requires a client certificate, and regpass has none for proxies".to_owned()
        }
        Failure::ClientCertificateRejected(alert) => {
            format!("it requires a client certificate ({alert:?}), and regpass has none for proxies")
        }
        Failure::NotTls => {
            "it does not speak TLS on this port; for a proxy without TLS write http:// before its host".to_owned()
        }
        Failure::Other(message) => message,
    }
}

/// The failures for which the advice depends on the host.
enum Failure {
    UnknownAuthority,
    SelfSigned,
    ClientCertificateRequired,
    ClientCertificateRejected(AlertDescription),
    NotTls,
    /// Any other failure, with its description.
    Other(String),
}

impl Failure {
    fn of(error: &rustls::Error) -> Self {
        match error {
            // The signature is wrong if an authority was replaced by a new one of the same name.
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                Self::UnknownAuthority
            }
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) if is_authority_used_as_server(other) => {
                Self::SelfSigned
            }
            rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                Self::Other("its certificate has expired (or this machine's clock is wrong)".to_owned())
            }
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::Other("its certificate is for another host name".to_owned()),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => Self::ClientCertificateRequired,
            // Alerts for a missing or rejected client certificate (`bad_certificate` from Go before 1.21).
            rustls::Error::AlertReceived(alert) if is_certificate_alert(*alert) => {
                Self::ClientCertificateRejected(*alert)
            }
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            other => Self::Other(format!("TLS failed: {}", truncated(other))),
        }
    }
}

/// The message of a rustls error, shortened: some messages contain everything that a certificate lists.
pub(crate) fn truncated(error: &impl ToString) -> String {
    let mut message = error.to_string();
    if let Some((cut, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.replace_range(cut.., "…");
    }
    message
}

/// Whether the peer sent this alert because it rejects the certificate that regpass presented to it.
pub(crate) fn is_certificate_alert(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    let certificate_alerts = [
        Alert::BadCertificate,
        // The signature is wrong if an authority was replaced by a new one of the same name.
        Alert::DecryptError,
        Alert::UnsupportedCertificate,
        Alert::CertificateRevoked,
        Alert::CertificateExpired,
        Alert::CertificateUnknown,
        Alert::UnknownCA,
        Alert::AccessDenied,
    ];
    certificate_alerts.contains(&alert)
}

/// Whether a certificate was rejected because it is an authority's (`CaUsedAsEndEntity`). rustls passes on webpki's
/// error as an opaque one, so only its debug text identifies it.
pub(super) fn is_authority_used_as_server(error: &rustls::OtherError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

/// Characters. Longer than every fixed message of rustls.
const MAX_MESSAGE: usize = 240;

#[cfg(test)]
mod tests {
    use rustls::{Error, ExtendedKeyPurpose};

    use super::*;

    #[test]
    fn long_messages_are_truncated() {
        let presented = vec![ExtendedKeyPurpose::Other(vec![1, 3, 6, 1, 4, 1, 99999]); 5000];
        let long = CertificateError::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented };
        let message = describe(&Error::InvalidCertificate(long));
        assert!(message.contains("does not allow extended key usage for server authentication"), "{message}");
        assert!(message.ends_with('…') && message.len() < 300, "{}", message.len());
        let short = describe(&Error::InvalidCertificate(CertificateError::Revoked));
        assert_eq!(short, "TLS failed: invalid peer certificate: Revoked");
    }
}
