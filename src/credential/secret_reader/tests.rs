use std::fs;
use std::time::Duration;

use tempfile::tempdir;
use tokio::time::advance;

use super::*;
use crate::base::tests::{CapturedLog, replace_file};
use crate::credential::tests::literal;

const KEY: &str = "hunter2 hunter2 hunter2";

/// Reads the secret a second later, when its file is checked again.
async fn read_later(reader: &SecretReader) -> Result<String, String> {
    advance(Duration::from_secs(1)).await;
    reader.current().await.map(|secret| secret.expose().to_owned()).map_err(|error| error.message)
}

#[test]
fn a_file_is_read_without_its_line_end() {
    let path = Path::new("/run/secrets/token");
    for (text, secret) in [
        ("hunter2", "hunter2"),
        ("hunter2\n", "hunter2"),
        ("hunter2\r\n", "hunter2"),
        (" hunter2 \n\n", " hunter2 "),
        ("{\n\"key\": 1\n}\n", "{\n\"key\": 1\n}"),
    ] {
        assert_eq!(parse(path, text).unwrap().expose(), secret);
    }
    for text in ["", "\n\r\n"] {
        let error = parse(path, text).unwrap_err().to_string();
        assert_eq!(error, "/run/secrets/token is empty; write the secret into it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_never_changes_and_is_not_printed() {
    let reader = SecretReader::new_upload_key(&literal(KEY));
    let first = reader.current().await.unwrap();
    assert_eq!(read_later(&reader).await.as_deref(), Ok(KEY));
    assert!(Arc::ptr_eq(&first, &reader.current().await.unwrap()));
    assert!(!format!("{reader:?}").contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_when_it_appears_and_when_it_changes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("key");
    let reader = SecretReader::new(&SecretSource::File(path.clone()));
    for _ in 0..2 {
        let missing = read_later(&reader).await.unwrap_err();
        assert!(missing.starts_with(&format!("{} does not exist; create it", path.display())), "{missing}");
    }
    fs::write(&path, "one\n").unwrap();
    assert_eq!(read_later(&reader).await.as_deref(), Ok("one"));
    let one = reader.current().await.unwrap();
    assert!(Arc::ptr_eq(&one, &reader.current().await.unwrap()));
    replace_file(&path, "two\n");
    assert_eq!(read_later(&reader).await.as_deref(), Ok("two"));
    fs::remove_file(&path).unwrap();
    assert_eq!(read_later(&reader).await.as_deref(), Ok("two"), "the last good content stays in use");
}

#[tokio::test(start_paused = true)]
async fn an_upload_key_that_is_too_short_is_rejected() {
    let (log, _guard) = CapturedLog::start();
    let folder = tempdir().unwrap();
    let path = folder.path().join("key");
    let reader = SecretReader::new_upload_key(&SecretSource::File(path.clone()));
    fs::write(&path, "fifteen bytes..\n").unwrap();
    let short = read_later(&reader).await.unwrap_err();
    assert!(short.starts_with(&format!("{} contains a key shorter than 16 bytes", path.display())), "{short}");
    assert!(short.contains("openssl rand -base64 32") && !short.contains("fifteen"), "{short}");
    replace_file(&path, "sixteen bytes...\n");
    assert_eq!(read_later(&reader).await.as_deref(), Ok("sixteen bytes..."));
    replace_file(&path, "hunter2\n");
    assert_eq!(read_later(&reader).await.as_deref(), Ok("sixteen bytes..."), "the last good content stays in use");
    assert_eq!(log.lines("shorter than 16 bytes").len(), 1);
    assert!(log.lines("hunter2").is_empty());
}
