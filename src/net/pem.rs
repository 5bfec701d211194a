//! The files that TLS is made from, on either side: certificates, keys and authorities, in PEM.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadTlsFile {
    pub file: String,
    pub why: String,
}

/// All certificates of a file; there is one at least.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BadTlsFile> {
    let pem = CertificateDer::pem_file_iter(file).map_err(|error| bad(file, pem_problem(&error)))?;
    let all = pem.collect::<Result<Vec<_>, _>>().map_err(|error| bad(file, pem_problem(&error)))?;
    if all.is_empty() { Err(bad(file, "it holds no PEM certificate".to_owned())) } else { Ok(all) }
}

pub(super) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, BadTlsFile> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| bad(file, pem_problem(&error)))
}

/// The certificates of a file as authorities.
pub(super) fn roots(file: &Path, authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, BadTlsFile> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(|error| bad(file, error.to_string()))?;
    }
    Ok(roots)
}

/// A key that cannot be used with its certificate.
pub(super) fn unfit(key: &Path, error: &rustls::Error) -> BadTlsFile {
    let why = match error {
        rustls::Error::InconsistentKeys(_) => "it is not the key of the certificate".to_owned(),
        error => error.to_string(),
    };
    bad(key, why)
}

pub(super) fn bad(file: &Path, why: String) -> BadTlsFile {
    BadTlsFile { file: file.display().to_string(), why }
}

/// The parser's errors quote what they could not read; of a key file nothing is repeated.
fn pem_problem(error: &Error) -> String {
    match error {
        Error::Io(io) => io.to_string(),
        Error::NoItemsFound => "it holds no PEM block of the expected kind".to_owned(),
        _ => "it is no valid PEM file".to_owned(),
    }
}
