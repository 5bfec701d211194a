//! AWS Signature Version 4 ("Create a signed AWS API request", IAM user guide).
//!
//! `reqsign` has an implementation, but it always uses the system's clock. This one takes the time as an argument, so
//! that a request can be signed with the server's time if the clocks differ.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqsign_aws_core::Credential as AccessKey;
use sha2::{Digest, Sha256};

use crate::base::hex::hex;

/// What a signature is valid for, and when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigningScope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// Since 1970.
    pub(super) time: Duration,
}

/// Signs a POST to `/` with its body: adds the signature's headers. All headers are signed.
pub(super) fn sign(
    headers: &mut HeaderMap,
    authority: &str,
    body: &[u8],
    key: &AccessKey,
    scope: SigningScope<'_>,
) -> Result<(), http::header::InvalidHeaderValue> {
    let date = date(scope.time);
    let hash = hex(&Sha256::digest(body));
    headers.insert(HOST, HeaderValue::from_str(authority)?);
    headers.insert(DATE, HeaderValue::from_str(&date)?);
    headers.insert(CONTENT_HASH, HeaderValue::from_str(&hash)?);
    if let Some(token) = &key.session_token {
        headers.insert(SESSION_TOKEN, sensitive(token)?);
    }
    let mut names: Vec<&HeaderName> = headers.keys().collect();
    names.sort_unstable_by_key(|name| name.as_str());
    let signed = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(";");
    let line = |name: &&HeaderName| format!("{name}:{}", String::from_utf8_lossy(headers[*name].as_bytes()).trim());
    let lines = names.iter().map(line).collect::<Vec<_>>().join("\n");
    let canonical = format!("POST\n/\n\n{lines}\n\n{signed}\n{hash}");

    let credential = format!("{}/{}/{}/aws4_request", &date[..DAY], scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{date}\n{credential}\n{}", hex(&Sha256::digest(canonical)));
    let secret = format!("AWS4{}", key.secret_access_key);
    let signing = credential
        .split('/')
        .fold(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), |key, part| mac_key(&key, part));
    let signature = hex(hmac::sign(&signing, to_sign.as_bytes()).as_ref());
    let line = format!(
        "{ALGORITHM} Credential={}/{credential}, SignedHeaders={signed}, Signature={signature}",
        key.access_key_id
    );
    headers.insert(AUTHORIZATION, sensitive(&line)?);
    Ok(())
}

fn mac_key(key: &hmac::Key, part: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(key, part.as_bytes()).as_ref())
}

/// Formats a time since 1970 as `20240130T033539Z`.
fn date(time: Duration) -> String {
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + time).to_string().replace(['-', ':'], "")
}

fn sensitive(text: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(text)?;
    value.set_sensitive(true);
    Ok(value)
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// The length of a date without its time of day.
const DAY: usize = "20240130".len();

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    /// The request `post-x-www-form-urlencoded` of AWS's test suite, with the content's hash as an additional header.
    /// The expected signature was computed with Python's `hmac`, with code that also reproduces the published one.
    #[test]
    fn the_example_request_gets_the_expected_signature() {
        let key = AccessKey {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            ..AccessKey::default()
        };
        let scope = SigningScope { region: "us-east-1", service: "service", time: Duration::from_secs(1_440_938_160) };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        sign(&mut headers, "example.amazonaws.com", b"Param1=value1", &key, scope).unwrap();
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        assert_eq!(headers["x-amz-content-sha256"], "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e");
        assert_eq!(
            headers["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, \
             Signature=3ae685fb42e386f9c46ad18dc31b73536a1fc7867dc5cdc8e34e4b1ee1fe5c50"
        );
        assert_eq!(format!("{:?}", headers["authorization"]), "Sensitive");
    }

    #[test]
    fn a_session_token_is_signed_and_its_header_is_sensitive() {
        let key = AccessKey {
            access_key_id: "ASIDEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: Some("token".to_owned()),
            ..AccessKey::default()
        };
        let scope = SigningScope { region: "eu-west-2", service: "ecr", time: Duration::ZERO };
        let mut headers = HeaderMap::new();
        sign(&mut headers, "a.example", b"{}", &key, scope).unwrap();
        let line = headers["authorization"].to_str().unwrap();
        assert!(line.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "), "{line}");
        assert!(line.contains("Credential=ASIDEXAMPLE/19700101/eu-west-2/ecr/aws4_request, "), "{line}");
        assert_eq!(format!("{:?}", headers["x-amz-security-token"]), "Sensitive");
    }
}
