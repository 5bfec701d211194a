use std::fs;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::net::tls::provider;

/// A certificate and its key, in PEM.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn certificates_are_read_whatever_is_around_them() {
    let folder = tempfile::tempdir().unwrap();
    let (one, key) = pair();
    let (two, _) = pair();
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let indented = format!("    {}  \n", one.trim_end().replace('\n', "  \n    "));
    for (what, bytes, count) in [
        ("as it is", one.clone().into_bytes(), 1),
        ("without a final newline", one.trim_end().as_bytes().to_vec(), 1),
        ("CRLF", crlf(&one).into_bytes(), 1),
        ("CR", one.replace('\n', "\r").into_bytes(), 1),
        ("byte order mark", format!("\u{feff}{}", crlf(&one)).into_bytes(), 1),
        ("UTF-16", utf16(&crlf(&one)), 1),
        ("Ctrl-Z", format!("{one}\u{1a}").into_bytes(), 1),
        ("indented", indented.into_bytes(), 1),
        ("old label", one.replace(" CERTIFICATE", " X509 CERTIFICATE").into_bytes(), 1),
        ("text between", format!("Bag Attributes\n  a: ü\n{one}\nsubject=/CN=a\n\n{key}{two}# end").into_bytes(), 2),
    ] {
        let file = write(&folder, "certificate.pem", bytes);
        assert_eq!(certificates(&file).unwrap_or_else(|error| panic!("{what}: {error}")).len(), count, "{what}");
    }
}

#[test]
fn key_of_the_certificate_is_found_among_others() {
    let folder = tempfile::tempdir().unwrap();
    let ((certificate, key), (_, other)) = (pair(), pair());
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let certificate_file = write(&folder, "certificate.pem", &certificate);
    for (what, bytes) in [
        ("alone", key.clone().into_bytes()),
        ("second", format!("{other}{key}").into_bytes()),
        ("first", format!("{key}{other}").into_bytes()),
        ("with certificate and parameters", format!("{parameters}{certificate}{key}").into_bytes()),
        ("UTF-16", utf16(&key.replace('\n', "\r\n"))),
        ("without a final newline", key.trim_end().as_bytes().to_vec()),
    ] {
        let file = write(&folder, "key.pem", bytes);
        let (_, found) =
            identity(&certificate_file, &file, &provider()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn error_names_file_and_remedy_and_quotes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ((certificate, key), (_, other)) = (pair(), pair());
    let certificate_file = write(&folder, "certificate.pem", &certificate);
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap().to_vec();
    for (bytes, why) in [
        (b"hunter2".to_vec(), "it contains no PEM certificate"),
        (key.clone().into_bytes(), "it contains no PEM certificate, but PRIVATE KEY"),
        (b"-----BEGIN CERTIFICATE-----\nhunter2\n".to_vec(), "it is not a valid PEM file"),
        (b"-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----".to_vec(), "it is not a valid PEM file"),
        (certificate.replace(" CERTIFICATE", " TRUSTED CERTIFICATE").into_bytes(), "openssl x509 -in FILE"),
        (der, "openssl x509 -inform der"),
        (b"a\xff hunter2".to_vec(), "it is not text that regpass can read: it is not UTF-8"),
    ] {
        let file = write(&folder, "bad.pem", bytes);
        let error = certificates(&file).unwrap_err().to_string();
        assert!(error.contains(why) && error.starts_with(file.to_str().unwrap()), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let encrypted_rsa =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nhunter2\n";
    for (text, why) in [
        (certificate.clone(), "it contains no private key in PEM format, but CERTIFICATE"),
        (key.replace(" PRIVATE", " ENCRYPTED PRIVATE"), "decrypt it with: openssl pkey"),
        (encrypted_rsa.to_owned(), "decrypt it with: openssl pkey"),
        (key.replace(" PRIVATE", " OPENSSH PRIVATE"), "but OPENSSH PRIVATE KEY"),
        (other.clone(), "it is not the key of the certificate"),
        ([other, pair().1].concat(), "none of its keys is the key of the certificate"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2".to_owned(), "it is not a valid PEM file"),
    ] {
        let file = write(&folder, "bad-key.pem", text);
        let error = identity(&certificate_file, &file, &provider()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("bad-key.pem") && !error.contains("hunter2"), "{error}");
    }
}
