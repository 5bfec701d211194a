//! Reads and atomically replaces a client's configuration file: it has the old text or the new text, never a mixture.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

/// Reads a file; `None` if it does not exist. A symlink without a target is an error.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file, or the target of a symlink, keeping its mode and owner. A file that does not exist is created with
/// mode 0644, and its parent folders with it.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let path = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".regpass-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
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

    #[test]
    fn target_of_a_symlink_is_replaced_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        let before = fs::metadata(&file).unwrap();
        write(&link, "new").unwrap();
        let after = fs::metadata(&file).unwrap();
        assert!(link.is_symlink() && read(&file).unwrap().as_deref() == Some("new"));
        assert_eq!(after.permissions().mode() & 0o777, 0o640);
        assert_ne!(before.ino(), after.ino(), "the file is replaced, not overwritten in place");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the temporary file is gone");
    }

    #[test]
    fn new_file_is_world_readable_and_a_dangling_symlink_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/c");
        assert_eq!(read(&file).unwrap(), None);
        write(&file, "new").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        let link = folder.path().join("link");
        symlink("nowhere", &link).unwrap();
        assert!(read(&link).is_err() && write(&link, "new").is_err());
    }
}
