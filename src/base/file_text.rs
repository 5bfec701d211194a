//! The text in a file, whatever encoding the tool that wrote it chose.
//!
//! Files come from editors, shells and secret stores of every system. Windows Notepad starts UTF-8 with a byte order
//! mark, PowerShell 5.1 redirects into UTF-16, `copy` appends Ctrl-Z, and old tools pad with NUL. Every reader of a text
//! file decodes it here, so that all of them accept the same files.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// The encoding of a file, as its first bytes say (Unicode 16.0, section 23.8, "Byte Order Mark").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    /// UTF-8 after a byte order mark.
    MarkedUtf8,
    Utf16LittleEndian,
    Utf16BigEndian,
}

/// Why bytes are not text, and where in the text that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not text that regpass can read: {reason} in line {line}, column {column}; save it as UTF-8")]
pub struct NotText {
    pub reason: NotTextReason,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTextReason {
    #[error("it is not UTF-8")]
    Utf8,
    #[error("it is not valid UTF-16, which its byte order mark announces,")]
    Utf16,
    /// NUL bytes between characters: UTF-16 without a byte order mark, or binary data.
    #[error("there is a NUL byte, as in UTF-16 without a byte order mark,")]
    Nul,
}

/// Why the text of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileTextError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is larger than {0} bytes, the most that is allowed")]
    TooLarge(u64),
    #[error("{0}")]
    NotText(#[from] NotText),
}

impl Encoding {
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xEF, 0xBB, 0xBF, ..] => Self::MarkedUtf8,
            [0xFF, 0xFE, ..] => Self::Utf16LittleEndian,
            [0xFE, 0xFF, ..] => Self::Utf16BigEndian,
            _ => Self::Utf8,
        }
    }

    /// The length of the byte order mark in bytes.
    fn mark_len(self) -> usize {
        match self {
            Self::Utf8 => 0,
            Self::MarkedUtf8 => UTF8_MARK.len(),
            Self::Utf16LittleEndian | Self::Utf16BigEndian => 2,
        }
    }
}

impl FileTextError {
    /// Whether the file does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
    }
}

/// Reads and decodes a file of at most `max_bytes`. Messages of errors follow the file's path.
pub fn read(path: &Path, max_bytes: u64) -> Result<Zeroizing<String>, FileTextError> {
    Ok(decode(&read_bytes(path, max_bytes)?)?)
}

/// Reads a file of at most `max_bytes`. The buffer is allocated once and wiped on drop: growing it would leave copies of
/// a secret in memory.
pub fn read_bytes(path: &Path, max_bytes: u64) -> Result<Zeroizing<Vec<u8>>, FileTextError> {
    let file = File::open(path)?;
    let expected = file.metadata()?.len().min(max_bytes) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or_default()));
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes { Err(FileTextError::TooLarge(max_bytes)) } else { Ok(bytes) }
}

/// Decodes the bytes of a file: UTF-8 with or without a byte order mark, or UTF-16 with one. Leaves out the mark, and NUL
/// and Ctrl-Z at the end. Line ends stay as they are.
pub fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    let encoding = Encoding::of(bytes);
    let content = &bytes[encoding.mark_len()..];
    let mut text = match encoding {
        Encoding::Utf8 | Encoding::MarkedUtf8 => from_utf8(content),
        Encoding::Utf16LittleEndian => from_utf16(content, u16::from_le_bytes),
        Encoding::Utf16BigEndian => from_utf16(content, u16::from_be_bytes),
    }?;
    let end = text.trim_end_matches(PADDING).len();
    text.truncate(end);
    match text.split_once('\0') {
        Some((before, _)) => Err(NotText::after(before, NotTextReason::Nul)),
        None => Ok(text),
    }
}

fn from_utf8(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => {
            let valid = str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            Err(NotText::after(valid, NotTextReason::Utf8))
        }
    }
}

fn from_utf16(bytes: &[u8], to_unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, NotText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    // A unit of two bytes is at most three bytes of UTF-8.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    for character in char::decode_utf16(pairs.iter().copied().map(to_unit)) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return Err(NotText::after(&text, NotTextReason::Utf16)),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err(NotText::after(&text, NotTextReason::Utf16)) }
}

impl NotText {
    /// The error at the end of the text that was decoded before it.
    fn after(text: &str, reason: NotTextReason) -> Self {
        let line = text.rsplit('\n').next().unwrap_or_default();
        Self { reason, line: text.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

/// The byte order mark of UTF-8.
pub const UTF8_MARK: &str = "\u{feff}";
/// What old tools write after the end of the text: NUL, and Ctrl-Z, the end of a text file in CP/M and DOS.
const PADDING: [char; 2] = ['\0', '\u{1a}'];

#[cfg(test)]
mod tests {
    use super::*;

    /// The text in UTF-16 after a byte order mark.
    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn every_encoding_of_a_text_is_decoded() {
        let text = "{\r\n \"ä\": \"€𝄞\"}\r\n";
        let marked = format!("\u{feff}{text}");
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            format!("{marked}\u{1a}").into_bytes(),
            format!("{text}\0\0").into_bytes(),
            utf16(&format!("{marked}\u{1a}\0"), u16::to_le_bytes),
        ] {
            assert_eq!(decode(&bytes).unwrap().as_str(), text, "{bytes:?}");
        }
        for empty in [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0\0", b"\x1a"] {
            assert_eq!(decode(empty).unwrap().as_str(), "", "{empty:?}");
        }
        assert_eq!(decode("a\u{feff}b".as_bytes()).unwrap().as_str(), "a\u{feff}b", "a mark only counts at the start");
    }

    #[test]
    fn error_names_reason_and_place_and_quotes_nothing() {
        let without_mark = utf16("hunter2", u16::to_le_bytes);
        let mut odd = utf16("\u{feff}a\nhunter2", u16::to_le_bytes);
        odd.push(b'\n');
        let utf32 = b"\xff\xfe\0\0h\0\0\0";
        for (bytes, reason, line, column) in [
            (&b"a\nhunter2 \xff"[..], NotTextReason::Utf8, 2, 9),
            (b"\xef\xbb\xbfhunter2\xc3", NotTextReason::Utf8, 1, 8),
            (&without_mark, NotTextReason::Nul, 1, 2),
            (&odd, NotTextReason::Utf16, 2, 8),
            (b"\xff\xfe\x00\xd8a\0", NotTextReason::Utf16, 1, 1),
            (utf32, NotTextReason::Nul, 1, 1),
            (b"ab\0c", NotTextReason::Nul, 1, 3),
        ] {
            let error = decode(bytes).unwrap_err();
            assert_eq!(error, NotText { reason, line, column }, "{bytes:?}");
            let message = error.to_string();
            assert!(message.contains("save it as UTF-8") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn file_that_is_missing_or_too_large_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(read(&path, 4).unwrap_err().is_missing());
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap().as_str(), "1234");
        assert!(matches!(read(&path, 3), Err(FileTextError::TooLarge(3))));
        assert!(matches!(read(folder.path(), 4), Err(FileTextError::Io(_))));
    }
}
