//! PEM files of TLS: certificates, keys and authorities.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A file with a certificate, key or authority that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadTlsFile {
    pub file: String,
    pub why: String,
}

/// Reads the certificates of a file, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BadTlsFile> {
    let pem = CertificateDer::pem_file_iter(file).map_err(|error| bad(file, pem_problem(&error)))?;
    let all = pem.collect::<Result<Vec<_>, _>>().map_err(|error| bad(file, pem_problem(&error)))?;
    if all.is_empty() { Err(bad(file, "it contains no PEM certificate".to_owned())) } else { Ok(all) }
}

/// Reads the private key of a file.
pub(crate) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, BadTlsFile> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| bad(file, pem_problem(&error)))
}

/// Makes a root store of the authorities that were read from `file`.
pub(crate) fn roots(file: &Path, authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, BadTlsFile> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(|error| bad(file, error.to_string()))?;
    }
    Ok(roots)
}

/// The error for a key that does not work with its certificate.
pub(crate) fn key_error(key: &Path, error: &rustls::Error) -> BadTlsFile {
    let why = match error {
        rustls::Error::InconsistentKeys(_) => "it is not the key of the certificate".to_owned(),
        error => error.to_string(),
    };
    bad(key, why)
}

pub(crate) fn bad(file: &Path, why: String) -> BadTlsFile {
    BadTlsFile { file: file.display().to_string(), why }
}

/// Describes a parse error without the parser's own message, which may quote from a key file.
fn pem_problem(error: &Error) -> String {
    match error {
        Error::Io(io) => io.to_string(),
        Error::NoItemsFound => "it contains no private key in PEM format".to_owned(),
        _ => "it is not a valid PEM file".to_owned(),
    }
}
