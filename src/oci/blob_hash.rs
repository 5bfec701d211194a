//! Compares content with its digest, whole or in pieces.

use std::io;

use aws_lc_rs::digest::{Algorithm, Context, SHA256, SHA512};

use super::reference::Digest;

/// The hash of the content so far, by the algorithm of the digest that it should have.
pub struct BlobHash {
    context: Context,
    expected: Box<str>,
}

impl BlobHash {
    /// `None` if regpass does not know the digest's algorithm.
    pub fn of(digest: &Digest) -> Option<Self> {
        let (name, expected) = digest.as_str().split_once(':')?;
        let algorithm: &'static Algorithm = match name {
            "sha256" => &SHA256,
            "sha512" => &SHA512,
            _ => return None,
        };
        Some(Self { context: Context::new(algorithm), expected: expected.into() })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// Whether the content so far has the digest.
    pub fn matches(self) -> bool {
        let hash = self.context.finish();
        let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15].map(u32::from));
        digits.map(Some).eq(self.expected.chars().map(|digit| digit.to_digit(16)))
    }
}

/// Whether `digest` is that of `bytes`. `None` if regpass does not know the digest's algorithm.
pub fn matches(digest: &Digest, bytes: &[u8]) -> Option<bool> {
    let mut hash = BlobHash::of(digest)?;
    hash.update(bytes);
    Some(hash.matches())
}

/// Hashes what is written.
impl io::Write for BlobHash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobHash").field("expected", &self.expected).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces_match(digest: &str, pieces: &[&[u8]]) -> bool {
        let mut hash = BlobHash::of(&Digest::parse(digest).unwrap()).unwrap();
        for piece in pieces {
            hash.update(piece);
        }
        hash.matches()
    }

    #[test]
    fn content_in_pieces_has_the_digest_of_the_whole() {
        let sha256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sha512 = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                      2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        for digest in [sha256, sha512] {
            assert!(pieces_match(digest, &[b"abc"]) && pieces_match(digest, &[b"a", b"", b"bc"]), "{digest}");
            assert!(
                !pieces_match(digest, &[b"ab"]) && !pieces_match(digest, &[b"abcd"]) && !pieces_match(digest, &[]),
                "{digest}"
            );
        }
    }
    #[test]
    fn digest_matches_only_the_bytes_it_was_computed_from() {
        let digest = Digest::of(b"{}");
        assert_eq!((matches(&digest, b"{}"), matches(&digest, b"{ }")), (Some(true), Some(false)));
        let other = Digest::parse("md5:99914b932bd37a50b983c5e7c90ae93b").unwrap();
        assert_eq!(matches(&other, b"{}"), None);
    }
}
