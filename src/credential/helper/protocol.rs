//! What a `docker-credential-*` program says on `get`, and what it means.

use std::process::ExitStatus;

use serde::Deserialize;

use crate::base::secret::Secret;
use crate::credential::Credential;

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It ended with a failure that is not "I have none".
    Failed(ExitStatus),
    /// It ended well and said something else than the protocol's JSON.
    Unreadable,
}

/// Reads what a helper left behind when it ended.
pub fn interpret(status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Result<Credential, NoAnswer> {
    if status.success()
        && let Ok(answer) = serde_json::from_slice::<Answer>(stdout)
    {
        return Ok(answer.into_credential());
    }
    if [stdout, stderr].into_iter().any(says_not_found) {
        return Ok(Credential::Anonymous);
    }
    Err(if status.success() { NoAnswer::Unreadable } else { NoAnswer::Failed(status) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: String,
}

impl Answer {
    fn into_credential(self) -> Credential {
        let secret = Secret::new(self.secret);
        if secret.is_empty() { Credential::Anonymous } else { Credential::from_login(self.username, secret) }
    }
}

fn says_not_found(output: &[u8]) -> bool {
    let text = String::from_utf8_lossy(output).to_ascii_lowercase();
    NOT_FOUND.iter().any(|phrase| text.contains(phrase))
}

/// The protocol has one text for it, `credentials not found in native keychain` on stdout with exit status 1
/// (docker/docker-credential-helpers, credentials/error.go, 2025). The others are what the stores themselves say when a
/// helper passes it on: the macOS keychain, the Windows credential manager, pass.
const NOT_FOUND: &[&str] =
    &["credentials not found", "could not be found in the keychain", "element not found", "no usernames for"];

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn answers_mean_what_the_protocol_says() {
        let password =
            |name: &str| Ok(Credential::Password { username: name.into(), password: Secret::new("hunter2") });
        let failed = || Err(NoAnswer::Failed(ExitStatus::from_raw(1 << 8)));
        for (code, stdout, stderr, meaning) in [
            (0, r#"{"ServerURL":"ghcr.io","Username":"u","Secret":"hunter2"}"#, "", password("u")),
            (0, r#"{"Username":"u","Secret":"hunter2","More":1}"#, "warning: old", password("u")),
            (0, r#"{"Secret":"hunter2"}"#, "", password("")),
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
            (0, "", "", Err(NoAnswer::Unreadable)),
            (0, "hunter2", "", Err(NoAnswer::Unreadable)),
            (0, r#"{"Username":"u"}"#, "", Err(NoAnswer::Unreadable)),
        ] {
            let status = ExitStatus::from_raw(code << 8);
            assert_eq!(interpret(status, stdout.as_bytes(), stderr.as_bytes()), meaning, "{code} {stdout} {stderr}");
        }
    }
}
