//! References to manifests: tags and digests.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::base::hex::hex;

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution specification, "Pulling manifests").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

/// A digest (image specification, "Digests"): an algorithm, a colon and the encoded hash. That of a registered algorithm
/// is lower-case hex of the right length. One of another algorithm only has to match the grammar: regpass cannot verify
/// it, and the registry decides whether it knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(Box<str>);

/// The last path segment of a manifest request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    Digest(Digest),
    Tag(Tag),
}

/// A text that is not a valid reference. The variant says which kind it should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    #[error(
        "a digest is an algorithm, ':' and a hash: 64 lower-case hexadecimal digits for sha256 and blake3, 128 for sha512"
    )]
    Digest,
    #[error("a tag is at most 128 letters, digits, '_', '.' and '-' and does not start with '.' or '-'")]
    Tag,
}

impl Reference {
    /// Parses a text with a colon as a digest, because tags cannot have one, and every other text as a tag.
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        if text.contains(':') { Digest::parse(text).map(Self::Digest) } else { Tag::parse(text).map(Self::Tag) }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Digest(digest) => digest.as_str(),
            Self::Tag(tag) => &tag.0,
        }
    }

    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Tag(_) => None,
        }
    }
}

impl Tag {
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        let bytes = text.as_bytes();
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let is_valid = (1..=128).contains(&bytes.len())
            && is_word(bytes[0])
            && bytes.iter().all(|&b| is_word(b) || matches!(b, b'.' | b'-'));
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidReference::Tag) }
    }
}

impl Digest {
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        let (algorithm, encoded) = text.split_once(':').ok_or(InvalidReference::Digest)?;
        let is_hex = |length| {
            encoded.len() == length && encoded.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_valid = match algorithm {
            "sha256" | "blake3" => is_hex(64),
            "sha512" => is_hex(128),
            _ => text.len() <= MAX_DIGEST_BYTES && is_algorithm(algorithm) && is_encoded(encoded),
        };
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidReference::Digest) }
    }

    /// The SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex(&Sha256::digest(bytes))).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the image specification lists the algorithm.
    pub fn is_registered(&self) -> bool {
        self.0.split_once(':').is_some_and(|(algorithm, _)| matches!(algorithm, "sha256" | "sha512" | "blake3"))
    }
}

/// `[a-z0-9]+([+._-][a-z0-9]+)*`
fn is_algorithm(text: &str) -> bool {
    let is_component =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.split(['+', '.', '_', '-']).all(is_component)
}

/// `[a-zA-Z0-9=_-]+`
fn is_encoded(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-'))
}

/// Longest digest of an unregistered algorithm. The specification has no limit.
const MAX_DIGEST_BYTES: usize = 512;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_digests_are_parsed_and_everything_else_is_rejected() {
        let sha256 = format!("sha256:{}", "a".repeat(64));
        let sha512 = format!("sha512:{}", "0".repeat(128));
        let blake3 = format!("blake3:{}", "0".repeat(64));
        let other =
            ["md5:d41d8cd98f00b204e9800998ecf8427e", "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564="];
        for digest in [&*sha256, &sha512, &blake3, other[0], other[1]] {
            assert!(matches!(Reference::parse(digest), Ok(Reference::Digest(_))), "{digest}");
        }
        for tag in ["latest", "3.10", "_x", "A-b.C", &"t".repeat(128)] {
            assert!(matches!(Reference::parse(tag), Ok(Reference::Tag(_))), "{tag}");
        }
        let upper = format!("sha256:{}", "A".repeat(64));
        let (short, long) = (format!("blake3:{}", "0".repeat(63)), format!("x:{}", "a".repeat(511)));
        for bad in [
            "sha256:abc",
            &upper,
            &short,
            &long,
            "sha256:",
            ":",
            "md5:",
            ":d41d",
            "MD5:d41d",
            "a--b:c",
            "a+:c",
            "a:b/c",
            "a:..",
            "a:b:c",
            "a:%2f",
        ] {
            assert_eq!(Reference::parse(bad), Err(InvalidReference::Digest), "{bad}");
        }
        for bad in ["", ".x", "-x", "a/b", "a b", "..", &"t".repeat(129)] {
            assert_eq!(Reference::parse(bad), Err(InvalidReference::Tag), "{bad}");
        }
    }

    #[test]
    fn computed_digest_is_of_a_registered_algorithm() {
        let digest = Digest::of(b"{}");
        assert_eq!(digest.as_str(), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert!(digest.is_registered());
        assert!(!Digest::parse("md5:99914b932bd37a50b983c5e7c90ae93b").unwrap().is_registered());
    }
}
