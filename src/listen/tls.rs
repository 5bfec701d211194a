//! TLS of a listener: its certificate, the authorities of client certificates, and the handshake.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use super::handshake::HandshakeFailures;
use super::peer::ClientCertificate;
use crate::base::clock::WallClock;
use crate::net::pem::{self, BadTlsFile, bad, certificates};
use crate::net::tls::provider;

/// The TLS configuration of one listener, read from its files and checked. Two are equal if the files had the same
/// contents.
pub struct ServerTls {
    files: FileContents,
    acceptor: TlsAcceptor,
    pub(super) failures: HandshakeFailures,
}

#[derive(PartialEq, Eq)]
struct FileContents {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Set if clients need a certificate: the authorities that may issue it.
    authorities: Option<Vec<CertificateDer<'static>>>,
}

/// A connection after its TLS handshake.
pub(super) struct TlsConnection<S> {
    pub(super) stream: TlsStream<S>,
    pub(super) is_http2: bool,
    pub(super) client_certificate: Option<ClientCertificate>,
}

impl ServerTls {
    /// Reads the certificate chain, its key and, if clients need a certificate, the authorities that may issue it.
    pub fn read(certificate: &Path, key: &Path, authorities: Option<&Path>) -> Result<Self, BadTlsFile> {
        let authorities = authorities.map(|file| Ok((file, certificates(file)?))).transpose()?;
        let (chain, secret) = pem::identity(certificate, key, &provider())?;
        let files = FileContents {
            chain,
            key: secret,
            authorities: authorities.as_ref().map(|(_, authorities)| authorities.clone()),
        };
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| bad(certificate, error.to_string()))?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some((file, authorities)) => {
                let roots = pem::roots(file, &authorities)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| bad(file, error.to_string()))?)
            }
        };
        let config = builder.with_single_cert(files.chain.clone(), files.key.clone_key());
        let mut config = config.map_err(|error| pem::key_error(key, &error))?;
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        if files.authorities.is_some() {
            // A resumed session skips the check of the client certificate, which may have expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { files, acceptor: TlsAcceptor::from(Arc::new(config)), failures: HandshakeFailures::new() })
    }

    /// Reasons for which clients will reject the certificate although the listener can use it.
    pub fn certificate_warnings(&self, clock: WallClock) -> Vec<&'static str> {
        let Some(Ok((_, certificate))) = self.files.chain.first().map(|leaf| X509Certificate::from_der(leaf)) else {
            return vec!["the certificate cannot be parsed"];
        };
        let mut warnings = Vec::new();
        let now = i64::try_from(clock.unix_time().as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
        if let Some(now) = now {
            let validity = certificate.validity();
            if now > validity.not_after {
                warnings.push("the certificate has expired");
            } else if now < validity.not_before {
                warnings.push("the certificate is not valid yet");
            }
        }
        let is_host = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_));
        if !alternative_names(&certificate).any(is_host) {
            warnings.push("the certificate has no host name or address (subjectAltName), so clients will reject it");
        }
        warnings
    }

    /// Performs the handshake, within [`HANDSHAKE_TIMEOUT`].
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsConnection<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await;
        let stream = stream.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake timed out"))??;
        let (_, session) = stream.get_ref();
        let is_http2 = session.alpn_protocol() == Some(HTTP2);
        let leaf = session.peer_certificates().and_then(<[_]>::first);
        let client_certificate = leaf.map(|leaf| ClientCertificate { name: certificate_name(leaf) });
        Ok(TlsConnection { stream, is_http2, client_certificate })
    }
}

impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("has_client_authorities", &self.files.authorities.is_some())
            .finish_non_exhaustive()
    }
}

/// The name of a client certificate: the subject's common name, else the first DNS, mail or URI name of
/// `subjectAltName`.
fn certificate_name(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let alternative = || {
        alternative_names(&certificate).find_map(|name| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some(*text),
            _ => None,
        })
    };
    common.or_else(alternative).filter(|name| !name.is_empty()).map(Into::into)
}

fn alternative_names<'a>(certificate: &'a X509Certificate<'_>) -> impl Iterator<Item = &'a GeneralName<'a>> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names.into_iter().flat_map(|names| &names.value.general_names)
}

const HTTP2: &[u8] = b"h2";
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
