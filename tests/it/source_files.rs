//! The crate's Rust files, for tests that compare them with documents and conventions.

use std::fs;
use std::path::{Path, PathBuf};

/// The absolute path of a folder or file that is named relative to the crate's root.
pub fn crate_folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every Rust file in the folder and the folders below it.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

/// The names of the tests in the text of a Rust file. The test attribute has to be directly above `fn`.
pub fn test_names(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let tests = lines.windows(2).filter(|pair| pair[0].starts_with("#[tokio::test") || pair[0] == "#[test]");
    let name = |pair: &[&str]| {
        let function = pair[1].strip_prefix("async ").unwrap_or(pair[1]).strip_prefix("fn ")?;
        function.split('(').next().map(ToOwned::to_owned)
    };
    tests.filter_map(name).collect()
}
