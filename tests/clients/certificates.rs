//! Certificates that tests issue for themselves.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A certificate authority.
pub(crate) struct CertificateAuthority(CertifiedIssuer<'static, KeyPair>);

impl CertificateAuthority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate authority"),
        )
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for a host or client of this name. Returns the PEM texts of certificate and key.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("a certificate").pem(), key.serialize_pem())
    }

    /// Like [`issue`](Self::issue), but writes `NAME.pem` and `NAME-key.pem` to `folder` and returns their paths.
    pub(crate) fn issue_files(&self, name: &str, folder: &Path) -> (String, String) {
        let (certificate, key) = self.issue(name);
        let write = |file: String, pem: &str| write_file(folder, &file, pem);
        (write(format!("{name}.pem"), &certificate), write(format!("{name}-key.pem"), &key))
    }
}

/// Writes a file and returns its path.
pub(crate) fn write_file(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
    file.display().to_string()
}
