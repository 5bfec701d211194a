//! TLS towards clients: what a listener shows, whom it believes, and who they are.

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

use super::handshake::Failures;
use super::peer::Shown;
use super::pem::{self, BadTlsFile, bad, certificates};
use super::tls::provider;
use crate::base::clock::WallClock;

/// The TLS of one listener, read, checked and ready. Equal when the files held the same.
pub struct ServerTls {
    files: Files,
    acceptor: TlsAcceptor,
    pub(super) failures: Failures,
}

#[derive(PartialEq, Eq)]
struct Files {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Whose certificates clients have to show, if they have to.
    authorities: Option<Vec<CertificateDer<'static>>>,
}

/// What was agreed on.
pub(super) struct Secured<S> {
    pub(super) stream: TlsStream<S>,
    pub(super) is_http2: bool,
    pub(super) shown: Option<Shown>,
}

impl ServerTls {
    /// Reads a certificate with its chain, its key, and the authorities of clients where those have to show one.
    pub fn read(certificate: &Path, key: &Path, authorities: Option<&Path>) -> Result<Self, BadTlsFile> {
        let authorities = authorities.map(|file| Ok((file, certificates(file)?))).transpose()?;
        let files = Files {
            chain: certificates(certificate)?,
            key: pem::key(key)?,
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
        let mut config = config.map_err(|error| pem::unfit(key, &error))?;
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        if files.authorities.is_some() {
            // A session that is taken up again brings the certificate along unseen: it may have expired since.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { files, acceptor: TlsAcceptor::from(Arc::new(config)), failures: Failures::new() })
    }

    /// What clients will not like about the certificate, though it can be used.
    pub fn remarks(&self, clock: WallClock) -> Vec<&'static str> {
        let Some(Ok((_, certificate))) = self.files.chain.first().map(|leaf| X509Certificate::from_der(leaf)) else {
            return vec!["it cannot be read as a certificate"];
        };
        let mut remarks = Vec::new();
        let now = i64::try_from(clock.unix_time().as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
        if let Some(now) = now {
            let validity = certificate.validity();
            if now > validity.not_after {
                remarks.push("it has expired");
            } else if now < validity.not_before {
                remarks.push("it is not valid yet");
            }
        }
        let is_for = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_));
        if !other_names(&certificate).any(is_for) {
            remarks.push("it is for no host name or address (subjectAltName): clients will refuse it");
        }
        remarks
    }

    /// Agrees with a client, who does not get for ever to do so.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<Secured<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = timeout(HANDSHAKE_LIMIT, self.acceptor.accept(stream)).await;
        let stream =
            stream.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))??;
        let (_, session) = stream.get_ref();
        let is_http2 = session.alpn_protocol() == Some(HTTP2);
        let shown = session.peer_certificates().and_then(<[_]>::first).map(|leaf| Shown { name: name_of(leaf) });
        Ok(Secured { stream, is_http2, shown })
    }
}

impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("asks_clients", &self.files.authorities.is_some()).finish_non_exhaustive()
    }
}

/// The subject's common name, or the first of the other names that is text.
fn name_of(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let other = || {
        other_names(&certificate).find_map(|name| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some(*text),
            _ => None,
        })
    };
    common.or_else(other).filter(|name| !name.is_empty()).map(Into::into)
}

fn other_names<'a>(certificate: &'a X509Certificate<'_>) -> impl Iterator<Item = &'a GeneralName<'a>> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names.into_iter().flat_map(|names| &names.value.general_names)
}

const HTTP2: &[u8] = b"h2";
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
