//! The output of `docker-credential-* get`.

use std::fmt;
use std::process::ExitStatus;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::base::file_text::decode;
use crate::base::secret::Secret;
use crate::credential::Credential;

/// Why an output contains no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputError {
    /// The program failed for another reason than that it has no credential.
    Failed(ExitStatus),
    /// The program succeeded but printed something else than the protocol's JSON.
    Malformed,
}

/// Parses the output of a helper that exited with `status`. [`Credential::Anonymous`] if the helper has no credential.
pub fn parse_output(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Result<Credential, OutputError> {
    if status.success()
        && let Ok(text) = decode(stdout)
        && let Ok(Answer { username, secret: Some(secret) }) = serde_json::from_str(&text)
    {
        let is_absent = secret.is_empty();
        return Ok(if is_absent {
            Credential::Anonymous
        } else {
            Credential::from_username_and_secret(username, secret)
        });
    }
    if [stdout, stderr].into_iter().any(says_not_found) {
        return Ok(Credential::Anonymous);
    }
    Err(if status.success() { OutputError::Malformed } else { OutputError::Failed(status) })
}

/// What a helper prints. docker's decoder takes the names of members in any case.
#[derive(Default)]
struct Answer {
    username: String,
    secret: Option<Secret>,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Answer, A::Error> {
                let mut answer = Answer::default();
                while let Some(name) = members.next_key::<String>()? {
                    match name.to_ascii_lowercase().as_str() {
                        "username" => answer.username = members.next_value()?,
                        "secret" => answer.secret = Some(Secret::new(members.next_value::<String>()?)),
                        _ => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(answer)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

fn says_not_found(output: &[u8]) -> bool {
    let text = String::from_utf8_lossy(output).to_ascii_lowercase();
    NOT_FOUND.iter().any(|phrase| text.contains(phrase))
}

/// Messages for "no credential", in lower case. The protocol has one: `credentials not found in native keychain` on
/// stdout with exit status 1 (docker/docker-credential-helpers, credentials/error.go, 2025). The others come from the
/// stores, when a helper passes them on: the macOS keychain, the Windows credential manager, pass.
const NOT_FOUND: &[&str] =
    &["credentials not found", "could not be found in the keychain", "element not found", "no usernames for"];

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn output_is_a_credential_none_or_an_error() {
        let password =
            |name: &str| Ok(Credential::Password { username: name.into(), password: Secret::new("hunter2") });
        let failed = || Err(OutputError::Failed(ExitStatus::from_raw(1 << 8)));
        for (code, stdout, stderr, expected) in [
            (0, r#"{"ServerURL":"ghcr.io","Username":"u","Secret":"hunter2"}"#, "", password("u")),
            (0, r#"{"Username":"u","Secret":"hunter2","More":1}"#, "warning: old", password("u")),
            (0, r#"{"Secret":"hunter2"}"#, "", password("")),
            (0, "\u{feff}{\"username\":\"u\",\"SECRET\":\"hunter2\"}\r\n", "", password("u")),
            (
                0,
                r#"{"ServerURL":"x","Username":"<token>","Secret":"hunter2"}"#,
                "",
                Ok(Credential::Identity { username: None, token: Secret::new("hunter2") }),
            ),
            (0, r#"{"ServerURL":"x","Username":"","Secret":""}"#, "", Ok(Credential::Anonymous)),
            (1, "credentials not found in native keychain\n", "", Ok(Credential::Anonymous)),
            (1, "", "Error: Credentials not found", Ok(Credential::Anonymous)),
            (1, "The specified item could not be found in the keychain.", "", Ok(Credential::Anonymous)),
            (1, "no usernames for https://index.docker.io/v1/", "", Ok(Credential::Anonymous)),
            (1, r#"{"Username":"u","Secret":"hunter2"}"#, "", failed()),
            (1, "exit status 2: gpg: decryption failed: No secret key", "", failed()),
            (1, "", "", failed()),
            (0, "", "", Err(OutputError::Malformed)),
            (0, "hunter2", "", Err(OutputError::Malformed)),
            (0, r#"{"Username":"u"}"#, "", Err(OutputError::Malformed)),
        ] {
            let status = ExitStatus::from_raw(code << 8);
            assert_eq!(
                parse_output(status, stdout.as_bytes(), stderr.as_bytes()),
                expected,
                "{code} {stdout} {stderr}"
            );
        }
    }
}
