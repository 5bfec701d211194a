//! Servers that show people what they were sent: their words are not passed on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::grant;
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::credential::Credential;

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

    /// What a call of a token service carries, in its header or in its form.
    pub fn credential(credential: &Credential) -> Self {
        let mut sent = grant::basic(credential).as_ref().map(Self::header).unwrap_or_default();
        match credential {
            Credential::Anonymous => {}
            Credential::Password { password: secret, .. }
            | Credential::Identity { token: secret, .. }
            | Credential::Bearer { token: secret } => sent.add(secret.expose()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_every_form() {
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("a \"b\"/ü") };
        for text in [
            r#"wrong password: a "b"/ü"#,
            r#"{"sent":"a \"b\"/ü"}"#,
            "?password=a+%22b%22%2F%C3%BC",
            "?password=a%20%22b%22%2F%C3%BC&x",
            "Authorization: Basic YWxpY2U6YSAiYiIvw7w=",
        ] {
            assert!(Sent::credential(&credential).is_in(text), "{text}");
            let header = grant::basic(&credential).unwrap();
            assert!(Sent::header(&header).is_in(text), "{text}");
        }
        let signed = Url::parse("https://s.io/b?v=2024-01-01&sig=0123456789%2Babcdef%3D").unwrap();
        assert!(Sent::url(&signed).is_in("you sent 0123456789+abcdef=") && !Sent::url(&signed).is_in("v=2024-01-01"));
        assert!(!Sent::credential(&credential).is_in("alice may not do this"));
        assert!(!Sent::credential(&Credential::Anonymous).is_in("anything"));
        assert_eq!(format!("{:?}", Sent::header(&HeaderValue::from_static("Bearer abc"))), "Sent([[redacted]])");
    }

    #[test]
    fn a_short_password_is_looked_for_as_a_word() {
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("test") };
        assert!(Sent::credential(&credential).is_in("the password 'test' is wrong"));
        assert!(!Sent::credential(&credential).is_in("the tag latest is not known, said the tester"));
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("wonderland") };
        assert!(Sent::credential(&credential).is_in("?q=%22wonderland%22"));
    }
}
