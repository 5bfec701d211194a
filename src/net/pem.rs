//! PEM files of TLS: certificates, keys and authorities.
//!
//! A file may have text around its sections, several keys, indented lines, any line end, and the encoding of any editor.

use std::path::Path;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::base::file_text::{FileTextError, decode, read_bytes};

/// A file with a certificate, key or authority that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadTlsFile {
    pub file: String,
    pub why: String,
}

/// A certificate with its chain, and its key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads the certificates of a file, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, BadTlsFile> {
    parse_certificates(&read(file)?).map_err(|why| bad(file, why))
}

/// Reads a certificate with its chain and the key that belongs to it: the first one in `key` that does.
pub(crate) fn identity(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Identity, BadTlsFile> {
    let chain = certificates(certificate)?;
    let keys = parse_keys(&read(key)?).map_err(|why| bad(key, why))?;
    let is_only_one = keys.len() == 1;
    for candidate in keys {
        match CertifiedKey::from_der(chain.clone(), candidate.clone_key(), provider) {
            Ok(_) => return Ok((chain, candidate)),
            Err(error) if is_only_one => return Err(key_error(key, &error)),
            Err(_) => {}
        }
    }
    Err(bad(key, "none of its keys is the key of the certificate".to_owned()))
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

fn read(file: &Path) -> Result<Zeroizing<String>, BadTlsFile> {
    let bytes = read_bytes(file, MAX_BYTES).map_err(|error| match error {
        FileTextError::Io(io) => bad(file, io.to_string()),
        other => bad(file, format!("it {other}")),
    })?;
    decode(&bytes).map_err(|error| match bytes[..] {
        [DER_SEQUENCE, ..] => bad(file, NOT_PEM.to_owned()),
        _ => bad(file, format!("it {error}")),
    })
}

fn parse_certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    // OpenSSL's own format: a certificate followed by the uses for which it is trusted or rejected. Reading only the
    // certificate would trust what the file rejects.
    if labels(text).any(|label| label == "TRUSTED CERTIFICATE") {
        return Err(
            "it contains a TRUSTED CERTIFICATE, which only OpenSSL reads; convert each with: openssl x509 -in \
                    FILE -out NEW"
                .to_owned(),
        );
    }
    let text = normalized(text);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match certificates {
        Ok(none) if none.is_empty() => Err(format!("it contains no PEM certificate{}", but_contains(&text))),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(INVALID.to_owned()),
    }
}

fn parse_keys(text: &str) -> Result<Vec<PrivateKeyDer<'static>>, String> {
    // PKCS #8 and, with a header line, the older formats (RFC 7468, section 11; RFC 1421, section 4.6.1.1).
    if labels(text).any(|label| label == "ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(
            "its key is encrypted with a password, which regpass cannot ask for; decrypt it with: openssl pkey \
                    -in FILE -out NEW"
                .to_owned(),
        );
    }
    let text = normalized(text);
    let keys: Result<Vec<_>, _> = PrivateKeyDer::pem_slice_iter(text.as_bytes()).collect();
    match keys {
        Ok(none) if none.is_empty() => Err(format!("it contains no private key in PEM format{}", but_contains(&text))),
        Ok(keys) => Ok(keys),
        // The parser's own message may quote from the key.
        Err(_) => Err(INVALID.to_owned()),
    }
}

/// The text without indentation, and with the current label of certificates instead of an old one.
fn normalized(text: &str) -> Zeroizing<String> {
    let mut normalized = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.lines().map(str::trim) {
        let is_old = label(line).is_some_and(|label| OLD_CERTIFICATE_LABELS.contains(&label));
        let end = if line.starts_with(END) { END } else { BEGIN };
        normalized.extend(if is_old { [end, "CERTIFICATE-----"] } else { [line, ""] });
        normalized.push('\n');
    }
    normalized
}

/// The labels of a file's sections.
fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.starts_with(BEGIN)).filter_map(label)
}

/// The label in a line that starts or ends a section.
fn label(line: &str) -> Option<&str> {
    line.strip_prefix(BEGIN).or_else(|| line.strip_prefix(END))?.strip_suffix("-----")
}

/// What a file contains instead, for a message. A label that no standard tool writes is not repeated.
fn but_contains(text: &str) -> String {
    let known = labels(text).filter(|label| KNOWN_LABELS.contains(label)).take(3).collect::<Vec<_>>();
    if known.is_empty() { String::new() } else { format!(", but {}", known.join(", ")) }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const INVALID: &str = "it is not a valid PEM file";
const NOT_PEM: &str = "it is binary (DER or PKCS #12), not PEM; convert it with: openssl x509 -inform der -in FILE -out \
                       NEW, or openssl pkcs12 -nodes";
/// The first byte of DER files of certificates and keys (X.690, section 8.9).
const DER_SEQUENCE: u8 = 0x30;
/// RFC 7468, section 5.1: labels of certificates that old tools write.
const OLD_CERTIFICATE_LABELS: [&str; 2] = ["X509 CERTIFICATE", "X.509 CERTIFICATE"];
const KNOWN_LABELS: &[&str] = &[
    "CERTIFICATE",
    "CERTIFICATE REQUEST",
    "EC PARAMETERS",
    "EC PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PKCS7",
    "PRIVATE KEY",
    "PUBLIC KEY",
    "RSA PRIVATE KEY",
];
/// The largest file. Bundles of all public authorities have less than 1 MiB.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests;
