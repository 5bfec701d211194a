//! Servers that show people what they were sent: their words are not passed on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::origin::Url;
use super::secret::Secret;

/// What a request carried that no answer may repeat, in every form in which it may come back.
#[derive(Clone, Debug, Default)]
pub struct Sent(Vec<Secret>);

impl Sent {
    /// What an `Authorization` header carries: the word after the scheme, and the password inside it.
    pub fn header(header: &HeaderValue) -> Self {
        let mut sent = Self::default();
        let line = Secret::new(String::from_utf8_lossy(header.as_bytes()));
        let Some((scheme, word)) = line.expose().split_once(' ') else { return sent };
        sent.add(word);
        if scheme.eq_ignore_ascii_case("basic")
            && let Some(pair) =
                STANDARD.decode(word).ok().and_then(|pair| String::from_utf8(pair).ok()).map(Secret::new)
            && let Some((_, password)) = pair.expose().split_once(':')
        {
            sent.add(password);
        }
        sent
    }

    /// What makes a signed URL one: the long values of its query.
    pub fn url(url: &Url) -> Self {
        let mut sent = Self::default();
        let pairs = url.query.as_deref().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        for (_, value) in pairs.filter(|(_, value)| value.len() >= SHORTEST_SIGNATURE) {
            sent.add(value);
            sent.add(&percent_decode_str(value).decode_utf8_lossy());
        }
        sent
    }

    /// Both.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// A secret by itself, such as a value of a form.
    pub fn secret(secret: &Secret) -> Self {
        let mut sent = Self::default();
        sent.add(secret.expose());
        sent
    }

    /// Whether `text`, a plain text or a JSON document, repeats any of it; what is short only as a word, because
    /// it may be a syllable of something harmless.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| {
            text.match_indices(secret.expose()).any(|(at, found)| {
                let before = text[..at].chars().next_back();
                let after = text[at + found.len()..].chars().next();
                let is_word = !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric);
                is_word || found.len() >= NO_SYLLABLE
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

/// Shorter values of a query are dates, names and versions.
const SHORTEST_SIGNATURE: usize = 16;

/// No harmless word is as long by chance as this.
const NO_SYLLABLE: usize = 10;
