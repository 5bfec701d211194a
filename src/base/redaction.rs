//! Detects secrets of a request in the server's response, so that a server that echoes them cannot put them into
//! regpass's errors and logs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::origin::Url;
use super::secret::Secret;

/// The secrets of one request, in every encoding in which a response may repeat them.
#[derive(Clone, Debug, Default)]
pub struct Redaction(Vec<Secret>);

impl Redaction {
    /// The secrets of an `Authorization` header: the word after the scheme and, for Basic, the password in it.
    pub fn of_header(header: &HeaderValue) -> Self {
        let mut redaction = Self::default();
        let line = Secret::new(String::from_utf8_lossy(header.as_bytes()));
        let Some((scheme, word)) = line.expose().split_once(' ') else { return redaction };
        redaction.add(word);
        if scheme.eq_ignore_ascii_case("basic")
            && let Some(pair) =
                STANDARD.decode(word).ok().and_then(|pair| String::from_utf8(pair).ok()).map(Secret::new)
            && let Some((_, password)) = pair.expose().split_once(':')
        {
            redaction.add(password);
        }
        redaction
    }

    /// The signature of a signed URL: every query value of at least 16 bytes.
    pub fn of_url(url: &Url) -> Self {
        let mut redaction = Self::default();
        let pairs = url.query.as_deref().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        for (_, value) in pairs.filter(|(_, value)| value.len() >= MIN_SIGNATURE_LENGTH) {
            redaction.add(value);
            redaction.add(&percent_decode_str(value).decode_utf8_lossy());
        }
        redaction
    }

    /// A single secret, such as a form field of a token request.
    pub fn of_secret(secret: &Secret) -> Self {
        let mut redaction = Self::default();
        redaction.add(secret.expose());
        redaction
    }

    /// Adds the secrets of `other`.
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether `text`, plain or JSON, contains one of the secrets. A secret of fewer than 10 bytes counts only as a
    /// whole word, because it may also be part of a harmless longer word.
    pub fn leaks_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| {
            text.match_indices(secret.expose()).any(|(at, found)| {
                let before = text[..at].chars().next_back();
                let after = text[at + found.len()..].chars().next();
                let is_word = !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric);
                is_word || found.len() >= MIN_SUBSTRING_LENGTH
            })
        })
    }

    fn add(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let json = serde_json::Value::from(secret).to_string();
        for text in [secret, &form, &percent, json.trim_matches('"')] {
            if !self.0.iter().any(|known| known.expose() == text) {
                self.0.push(Secret::new(text));
            }
        }
    }
}

/// Shorter query values are dates, names and versions.
const MIN_SIGNATURE_LENGTH: usize = 16;

/// From this length on, a match inside a longer word is taken for a leak.
const MIN_SUBSTRING_LENGTH: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_of_a_url_is_redacted_and_its_short_values_are_not() {
        let signed = Url::parse("https://s.io/b?v=2024-01-01&sig=0123456789%2Babcdef%3D").unwrap();
        let redaction = Redaction::of_url(&signed);
        assert!(redaction.leaks_in("you sent 0123456789+abcdef=") && !redaction.leaks_in("v=2024-01-01"));
    }

    #[test]
    fn debug_output_hides_the_secrets() {
        let redaction = Redaction::of_header(&HeaderValue::from_static("Bearer abc"));
        assert_eq!(format!("{redaction:?}"), "Redaction([[redacted]])");
    }
}
