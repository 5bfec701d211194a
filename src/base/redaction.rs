//! Detects secrets of a request in the server's response, so that a server that echoes them cannot put them into answers,
//! errors and logs of regpass.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use memchr::memmem::Finder;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::hex::hex;
use super::origin::Url;
use super::secret::Secret;

/// The secrets of one request, in every encoding in which a response may repeat them.
#[derive(Clone, Default)]
pub struct Redaction(Vec<Finder<'static>>);

impl Redaction {
    /// The secrets of an `Authorization` header: the word after the scheme, what it is the base64 of (some registries
    /// issue such tokens), and for Basic the password in it.
    pub fn of_header(header: &HeaderValue) -> Self {
        let mut redaction = Self::default();
        let line = Secret::new(String::from_utf8_lossy(header.as_bytes()));
        let Some((scheme, word)) = line.expose().split_once(' ') else { return redaction };
        redaction.add(word);
        let decoded = STANDARD.decode(word).ok().and_then(|bytes| String::from_utf8(bytes).ok()).map(Secret::new);
        match decoded {
            Some(pair) if scheme.eq_ignore_ascii_case("basic") => {
                redaction.add(pair.expose().split_once(':').map_or("", |(_, password)| password));
            }
            Some(inner) => redaction.add(inner.expose()),
            None => {}
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
    pub fn leaks_in(&self, text: impl AsRef<[u8]>) -> bool {
        let text = text.as_ref();
        self.0.iter().any(|secret| {
            let length = secret.needle().len();
            let is_word_byte = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
            length <= text.len()
                && secret.find_iter(text).any(|at| {
                    let is_inside_word =
                        text[..at].last().is_some_and(is_word_byte) || text.get(at + length).is_some_and(is_word_byte);
                    length >= MIN_SUBSTRING_LENGTH || !is_inside_word
                })
        })
    }

    /// As [`leaks_in`](Self::leaks_in), without the secrets of fewer than 10 bytes: for text in which any short word may
    /// stand, such as a media type.
    pub fn leaks_whole_in(&self, text: impl AsRef<[u8]>) -> bool {
        let text = text.as_ref();
        let mut long = self.0.iter().filter(|secret| secret.needle().len() >= MIN_SUBSTRING_LENGTH);
        long.any(|secret| secret.find(text).is_some())
    }

    fn add(&mut self, secret: &str) {
        let secret = distinctive_part(secret);
        if secret.is_empty() {
            return;
        }
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let json = serde_json::Value::from(secret).to_string();
        let hex = hex(secret.as_bytes());
        let mut forms = vec![
            secret.to_owned(),
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            percent.to_ascii_lowercase(),
            percent,
            json.trim_matches('"').to_owned(),
            hex.to_ascii_uppercase(),
            hex,
        ];
        forms.extend((0..3).flat_map(|offset| base64_inside(secret.as_bytes(), offset)));
        for form in forms {
            if !self.0.iter().any(|known| known.needle() == form.as_bytes()) {
                self.0.push(Finder::new(form.as_bytes()).into_owned());
            }
        }
    }
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redaction([redacted])")
    }
}

/// The part of a secret that is searched for: all of a short one, the end of a long one. The end of a token is its
/// signature, without which the rest is no credential. Short needles keep the search fast.
fn distinctive_part(secret: &str) -> &str {
    let start = secret.len().saturating_sub(MAX_NEEDLE_LENGTH);
    (start..=secret.len()).find_map(|start| secret.get(start..)).unwrap_or_default()
}

/// The base64 of `secret` within the base64 of a longer text, in which it starts at a byte position that is `offset` above
/// a multiple of three. Without the characters at both ends, which the bytes around it determine, too. In both alphabets.
fn base64_inside(secret: &[u8], offset: usize) -> Vec<String> {
    let padded = [&[0; 3][..offset], secret].concat();
    let (first, last) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    if last.saturating_sub(first) < MIN_BASE64_LENGTH {
        return Vec::new();
    }
    let texts = [STANDARD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)];
    texts.iter().filter_map(|text| text.get(first..last)).map(ToOwned::to_owned).collect()
}

/// Shorter query values are dates, names and versions.
const MIN_SIGNATURE_LENGTH: usize = 16;

/// From this length on, a match inside a longer word is taken for a leak.
const MIN_SUBSTRING_LENGTH: usize = 10;

const MAX_NEEDLE_LENGTH: usize = 32;

/// A shorter piece of base64 may stand in any other.
const MIN_BASE64_LENGTH: usize = 10;

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
    fn secret_is_found_in_every_encoding() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJhY2Nlc3MiOltdfQ.c2ln+bmF0dXJl/LXdpdGgtYWxsLWtpbmRz_of-bytes~";
        let redaction = Redaction::of_header(&HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        let percent = utf8_percent_encode(token, NON_ALPHANUMERIC).to_string();
        let hex = hex(token.as_bytes());
        let mut echoes = vec![token.to_owned(), percent.to_lowercase(), percent, hex.to_uppercase(), hex];
        for before in ["", "a", "ab", "abc"] {
            echoes.push(STANDARD.encode(format!("{before}{token} and more")));
            echoes.push(URL_SAFE_NO_PAD.encode(format!("{before}{token}")));
        }
        for echo in echoes {
            assert!(redaction.leaks_in(format!("\"you sent {echo}!\"")), "{echo}");
            assert!(redaction.leaks_whole_in(&echo), "{echo}");
        }
        assert!(!redaction.leaks_in(&token[..token.len() - 1]), "without its end a token is no credential");
        assert!(!redaction.leaks_in(""));
    }

    #[test]
    fn password_inside_a_token_or_a_basic_header_is_found() {
        for header in ["Bearer Z2hwX3NlY3JldC10b2tlbg==", "Basic bWU6Z2hwX3NlY3JldC10b2tlbg=="] {
            let redaction = Redaction::of_header(&HeaderValue::from_static(header));
            assert!(redaction.leaks_in("ghp_secret-token is unknown"), "{header}");
        }
    }

    #[test]
    fn short_secret_counts_as_a_whole_word_only() {
        let redaction = Redaction::of_secret(&Secret::new("json"));
        assert!(redaction.leaks_in("the password 'json' is wrong"));
        assert!(!redaction.leaks_in("jsonp") && !redaction.leaks_in("ajson"));
        assert!(!redaction.leaks_whole_in("application/json"));
    }

    #[test]
    fn debug_output_hides_the_secrets() {
        let redaction = Redaction::of_header(&HeaderValue::from_static("Bearer abc"));
        assert_eq!(format!("{redaction:?}"), "Redaction([redacted])");
    }
}
