//! TLS towards upstreams: roots, extra authorities, client certificates, and errors a person can act on.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pem::{self, BadTlsFile};

/// The files of one registry's TLS, read and checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl TlsFiles {
    pub fn with_authorities(mut self, file: &Path) -> Result<Self, BadTlsFile> {
        self.authorities = pem::certificates(file)?;
        // The system's roots are not read yet: this only tells whether they can be joined.
        pem::roots(file, &self.authorities)?;
        Ok(self)
    }

    pub fn with_identity(mut self, certificate: &Path, key: &Path) -> Result<Self, BadTlsFile> {
        let chain = pem::certificates(certificate)?;
        let secret = pem::key(key)?;
        CertifiedKey::from_der(chain.clone(), secret.clone_key(), &provider())
            .map_err(|error| pem::unfit(key, &error))?;
        self.identity = Some((chain, secret));
        Ok(self)
    }

    /// The client side's configuration. With `show_identity`, the client certificate is shown to whoever asks.
    ///
    /// Loads the system's roots on first use, which takes milliseconds: not for the start-up path.
    pub fn client_config(&self, show_identity: bool) -> Result<ClientConfig, rustls::Error> {
        let mut roots = SYSTEM_ROOTS.clone();
        for authority in &self.authorities {
            roots.add(authority.clone())?;
        }
        let provider = provider();
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier = Arc::new(Verifier { webpki, pinned: self.authorities.clone() });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match &self.identity {
            Some((chain, key)) if show_identity => builder.with_client_auth_cert(chain.clone(), key.clone_key()),
            _ => Ok(builder.with_no_client_auth()),
        }
    }
}

/// TLS with whoever is there, for asking this machine's own listener whether it is well: nothing secret is said, and its
/// certificate is for other names.
pub async fn without_proof<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> io::Result<TlsStream<S>> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    let config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider()))).with_no_client_auth();
    let name = ServerName::IpAddress(std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST).into());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Believes every certificate, and that its owner is there.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Reads the system's roots before somebody waits for them.
pub fn warm_up() {
    LazyLock::force(&SYSTEM_ROOTS);
}

/// A TLS failure in words, with what to do about it.
pub(super) fn describe(error: &rustls::Error) -> String {
    match error {
        // A signature is bad when an authority was made anew under its old name.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by an unknown authority; add that authority as 'ca' of the registry, or through SSL_CERT_FILE".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) if is_authority_serving_itself(other) => {
            "its certificate signed itself; put that very certificate into 'ca' of the registry".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired (or this machine's clock is wrong)".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "its certificate is for another name".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a client certificate; set 'client_certificate' of the registry".to_owned()
        }
        // What servers say of a certificate that they did not get, or do not take (Go before 1.21: bad_certificate).
        rustls::Error::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!("it wants a client certificate, or another one ({alert:?}); see 'client_certificate' of the registry")
        }
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS on this port; for a plain http registry set its 'url' to http://…".to_owned()
        }
        other => format!("TLS failed: {}", in_short(other)),
    }
}

/// In the library's words, of which some repeat what a certificate lists, as much as it may be.
pub(super) fn in_short(error: &impl ToString) -> String {
    let mut words = error.to_string();
    if let Some((cut, _)) = words.char_indices().nth(MOST_WORDS) {
        words.replace_range(cut.., "…");
    }
    words
}

/// In characters: more than any of the library's own sentences has.
const MOST_WORDS: usize = 240;

pub(super) fn is_about_our_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    let of_certificates = [
        Alert::BadCertificate,
        // A signature is bad when an authority was made anew under its old name.
        Alert::DecryptError,
        Alert::UnsupportedCertificate,
        Alert::CertificateRevoked,
        Alert::CertificateExpired,
        Alert::CertificateUnknown,
        Alert::UnknownCA,
        Alert::AccessDenied,
    ];
    of_certificates.contains(&alert)
}

/// The verdict of `webpki`, except that a configured certificate is believed even when it is an authority serving itself:
/// `openssl req -x509` makes such certificates, and `webpki` calls them `CaUsedAsEndEntity` (rustls/webpki#205).
#[derive(Debug)]
struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.webpki.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if is_authority_serving_itself(&other) && self.pinned.iter().any(|pinned| pinned == end_entity) =>
            {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// The error arrives as an opaque "other" error; its name is all there is to tell it by.
fn is_authority_serving_itself(error: &rustls::OtherError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured), or Mozilla's where the system has none.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
});

#[cfg(test)]
mod tests {
    use rustls::{Error, ExtendedKeyPurpose};

    use super::*;

    #[test]
    fn what_a_certificate_lists_is_cut_short() {
        let presented = vec![ExtendedKeyPurpose::Other(vec![1, 3, 6, 1, 4, 1, 99999]); 5000];
        let long = CertificateError::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented };
        let told = describe(&Error::InvalidCertificate(long));
        assert!(told.contains("does not allow extended key usage for server authentication"), "{told}");
        assert!(told.ends_with('…') && told.len() < 300, "{}", told.len());
        let short = describe(&Error::InvalidCertificate(CertificateError::Revoked));
        assert_eq!(short, "TLS failed: invalid peer certificate: Revoked");
    }
}
