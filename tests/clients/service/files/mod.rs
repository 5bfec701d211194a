//! Files that a configuration names. While a file is invalid or missing, its last valid content stays active and every
//! place reports the problem; a changed file takes effect within seconds.

mod client_auth;
mod listener_certificates;
mod mounted_volume;
mod registry_certificates;
mod registry_credentials;
mod upload_keys;

use std::fs;
use std::path::Path;

use super::problem_reports;
use super::testbed::RunningRegpass;
use crate::certificates::{CertificateAuthority, write_file};

/// A way to break a file: the name of the case, the invalid content (`None`: the file is removed), and words that the
/// report must contain.
type Breakage<'a> = (&'a str, Option<&'a [u8]>, &'a [&'a str]);

const NO_CERTIFICATE: Breakage<'static> = ("not a certificate", Some(b"not a certificate"), &[]);
const EMPTY: Breakage<'static> = ("empty", Some(b""), &[]);
const REMOVED: Breakage<'static> = ("removed", None, &[]);
const REMOVED_SECRET: Breakage<'static> = ("removed", None, &["does not exist"]);

/// Breaks the file of a configuration key in each of these ways and restores it. `assert_active` checks that the last valid
/// content is active throughout. Every place must report the problem under `key`, and stop once the file is restored.
async fn assert_survives(
    regpass: &RunningRegpass,
    file: &Path,
    key: &str,
    breakages: &[Breakage<'_>],
    assert_active: impl AsyncFn(&str),
) {
    let valid = fs::read(file).expect("a valid file");
    let name = file.file_name().and_then(|name| name.to_str()).expect("a file name");
    problem_reports::assert_cleared(regpass, "before").await;
    for (breakage, content, words) in breakages {
        let case = format!("{name}: {breakage}");
        let words: Vec<&str> = words.iter().copied().chain([name]).collect();
        let skip = regpass.daemon.log_length();
        match content {
            Some(content) => fs::write(file, content).expect("the file is broken"),
            None => fs::remove_file(file).expect("the file is removed"),
        }
        problem_reports::assert_shown(regpass, skip, &case, key, &words).await;
        assert_active(&case).await;
        fs::write(file, &valid).expect("the file is restored");
        problem_reports::assert_cleared(regpass, &case).await;
        assert_active(&case).await;
    }
}

/// Writes the files `tls.pem`, `tls-key.pem` and `clients-ca.pem` of a listener with a certificate of `server`, which
/// requires client certificates of `clients`. Returns the listener's keys.
fn write_listener_files(folder: &Path, server: &CertificateAuthority, clients: &CertificateAuthority) -> String {
    let (certificate, key) = server.issue("localhost");
    let certificate = write_file(folder, "tls.pem", &certificate);
    let key = write_file(folder, "tls-key.pem", &key);
    let ca = write_file(folder, "clients-ca.pem", &clients.pem());
    format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\nclients = {{ mtls_ca = \"{ca}\" }}")
}
