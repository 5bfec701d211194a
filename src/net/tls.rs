//! TLS to upstreams: root certificates, extra authorities and client certificates.

use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pem::{self, BadTlsFile, Identity};
use super::server_verifier::ServerVerifier;

/// The authorities and the client certificate of one registry, read from its files and checked.
#[derive(Debug, Default)]
pub struct TlsFiles {
    authorities: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
    with_identity: OnceLock<ClientConfig>,
    without_identity: OnceLock<ClientConfig>,
}

impl PartialEq for TlsFiles {
    fn eq(&self, other: &Self) -> bool {
        (&self.authorities, &self.identity) == (&other.authorities, &other.identity)
    }
}

impl Eq for TlsFiles {}

impl TlsFiles {
    /// Those of a registry that has none: the same for all such registries, so that they share the memory of the roots
    /// and of TLS sessions.
    pub fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<TlsFiles>> = LazyLock::new(Arc::default);
        NONE.clone()
    }

    /// Sets the authorities to those of a PEM file.
    pub fn with_authorities(mut self, file: &Path) -> Result<Self, BadTlsFile> {
        self.authorities = pem::certificates(file)?;
        // A check only: the root store is built later, together with the system's roots.
        pem::roots(file, &self.authorities)?;
        Ok(self)
    }

    /// Sets the client certificate and its key, after checking that they belong together.
    pub fn with_identity(mut self, certificate: &Path, key: &Path) -> Result<Self, BadTlsFile> {
        self.identity = Some(pem::identity(certificate, key, &provider())?);
        Ok(self)
    }

    /// The configuration of a client. With `presents_identity` it presents the client certificate to servers that ask
    /// for one. All configurations of one kind share the TLS sessions.
    ///
    /// Loads the system's roots on first use, which takes milliseconds, so it is not for the start-up path.
    pub fn client_config(&self, presents_identity: bool) -> Result<ClientConfig, rustls::Error> {
        let identity = self.identity.as_ref().filter(|_| presents_identity);
        let built = if identity.is_some() { &self.with_identity } else { &self.without_identity };
        if let Some(built) = built.get() {
            return Ok(built.clone());
        }
        let new = self.build(identity)?;
        Ok(built.get_or_init(|| new).clone())
    }

    fn build(&self, identity: Option<&Identity>) -> Result<ClientConfig, rustls::Error> {
        let mut roots = SYSTEM_ROOTS.clone();
        for authority in &self.authorities {
            roots.add(authority.clone())?;
        }
        let provider = provider();
        let verifier = ServerVerifier::authorities(provider.clone(), roots, self.authorities.clone())?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key()),
            None => Ok(builder.with_no_client_auth()),
        }
    }
}

/// Connects by TLS and accepts any certificate. Only for the health check of regpass's own listener: the check sends no
/// secret, and the certificate is for other names than the loopback address.
pub async fn connect_unverified<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> io::Result<TlsStream<S>> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    let config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ServerVerifier::any_certificate(provider())))
        .with_no_client_auth();
    let name = ServerName::IpAddress(std::net::IpAddr::from(std::net::Ipv4Addr::LOCALHOST).into());
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Loads the system's roots ahead of the first connection. Blocks.
pub fn load_system_roots() {
    LazyLock::force(&SYSTEM_ROOTS);
}

/// The cryptographic algorithms for all TLS connections of regpass.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The system's roots (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`), or Mozilla's if the system has none.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
});
