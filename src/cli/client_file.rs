//! Reads and atomically replaces a client's configuration file: it has the old text or the new text, never a mixture.
//!
//! A file that a Windows editor wrote keeps its byte order mark and its line ends. UTF-16 is refused: of the clients
//! only dockerd reads it, and an edited copy in another encoding would surprise the file's owner.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use crate::base::file_text::{Encoding, UTF8_MARK, decode};

/// The text of a client's file, with `\n` at the end of each line, and what of the file's form is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientFile {
    pub(super) text: String,
    form: Form,
}

/// What a text is written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Form {
    has_byte_order_mark: bool,
    /// Whether every line ends with `\r\n`.
    has_crlf: bool,
}

impl ClientFile {
    fn decode(bytes: &[u8]) -> io::Result<Self> {
        let encoding = Encoding::of(bytes);
        if matches!(encoding, Encoding::Utf16LittleEndian | Encoding::Utf16BigEndian) {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is UTF-16 text, and regpass edits only UTF-8"));
        }
        let text = decode(bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("it {error}")))?;
        let crlf_count = text.matches("\r\n").count();
        let has_crlf = crlf_count > 0 && text.matches('\n').count() == crlf_count;
        let text = if has_crlf { text.replace("\r\n", "\n") } else { text.to_string() };
        Ok(Self { text, form: Form { has_byte_order_mark: encoding == Encoding::MarkedUtf8, has_crlf } })
    }

    /// Another text in the form of this file.
    pub(super) fn with_text(&self, text: String) -> Self {
        Self { text, form: self.form }
    }

    fn encode(&self) -> String {
        let mark = if self.form.has_byte_order_mark { UTF8_MARK } else { "" };
        let text = if self.form.has_crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() };
        [mark, &text].concat()
    }
}

/// Reads a file; `None` if it does not exist. A symlink without a target is an error.
pub(super) fn read(path: &Path) -> io::Result<Option<ClientFile>> {
    match fs::read(path) {
        Ok(bytes) => ClientFile::decode(&bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file, or the target of a symlink, keeping its mode and owner. A file that does not exist is created with
/// mode 0644, and its parent folders with it.
pub(super) fn write(path: &Path, content: &ClientFile) -> io::Result<()> {
    let path = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".regpass-").tempfile_in(folder)?;
    file.write_all(content.encode().as_bytes())?;
    let permissions = match fs::metadata(&path) {
        Ok(old) => {
            let new = file.as_file().metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
            }
            old.permissions()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Permissions::from_mode(0o644),
        Err(error) => return Err(error),
    };
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn plain(text: &str) -> ClientFile {
        ClientFile { text: text.to_owned(), form: Form::default() }
    }

    #[test]
    fn target_of_a_symlink_is_replaced_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        let before = fs::metadata(&file).unwrap();
        write(&link, &plain("new")).unwrap();
        let after = fs::metadata(&file).unwrap();
        assert!(link.is_symlink() && read(&file).unwrap() == Some(plain("new")));
        assert_eq!(after.permissions().mode() & 0o777, 0o640);
        assert_ne!(before.ino(), after.ino(), "the file is replaced, not overwritten in place");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the temporary file is gone");
    }

    #[test]
    fn new_file_is_world_readable_and_a_dangling_symlink_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/c");
        assert_eq!(read(&file).unwrap(), None);
        write(&file, &plain("new")).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        let link = folder.path().join("link");
        symlink("nowhere", &link).unwrap();
        assert!(read(&link).is_err() && write(&link, &plain("new")).is_err());
    }

    #[test]
    fn byte_order_mark_and_line_ends_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for (old, new) in [
            ("a\nb\n", "a\nx\nb\n"),
            ("\u{feff}a\nb\n", "\u{feff}a\nx\nb\n"),
            ("a\r\nb\r\n", "a\r\nx\r\nb\r\n"),
            ("\u{feff}a\r\nb", "\u{feff}a\r\nx\r\nb"),
            ("a\nb\r\n", "a\nx\nb\r\n"),
            ("a\nb\n\u{1a}", "a\nx\nb\n"),
        ] {
            fs::write(&file, old).unwrap();
            let content = read(&file).unwrap().unwrap();
            assert!(content.text.starts_with("a\n"), "{old:?}");
            write(&file, &content.with_text(content.text.replacen('\n', "\nx\n", 1))).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), new, "{old:?}");
        }
    }

    #[test]
    fn file_in_another_encoding_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for (bytes, why) in [
            (&b"\xff\xfea\0"[..], "it is UTF-16 text"),
            (b"a\n\xff", "it is not UTF-8 in line 2, column 1"),
            (b"a\0", ""),
        ] {
            fs::write(&file, bytes).unwrap();
            match read(&file) {
                Err(error) => assert!(error.to_string().contains(why) && !why.is_empty(), "{error}"),
                Ok(content) => assert_eq!(content, Some(plain("a")), "NUL at the end is left out"),
            }
        }
    }
}
