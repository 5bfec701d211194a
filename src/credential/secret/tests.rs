use std::fs;
use std::time::Duration;

use tempfile::tempdir;
use tokio::time::advance;

use super::*;
use crate::credential::tests::{Log, literal, replace};

const KEY: &str = "hunter2 hunter2 hunter2";

/// A second later, when a file is looked at again.
async fn later(reading: &Reading) -> Result<String, String> {
    advance(Duration::from_secs(1)).await;
    reading.current().await.map(|secret| secret.expose().to_owned()).map_err(|error| error.what)
}

#[test]
fn a_file_is_a_secret_less_its_line_end() {
    let path = Path::new("/run/secrets/token");
    for (bytes, secret) in [
        (&b"hunter2"[..], "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b" hunter2 \n\n", " hunter2 "),
        (b"{\n\"key\": 1\n}\n", "{\n\"key\": 1\n}"),
    ] {
        assert_eq!(parse(path, bytes).unwrap().expose(), secret);
    }
    for (bytes, error) in [
        (&b""[..], "/run/secrets/token is empty; write the secret into it"),
        (b"\n\r\n", "/run/secrets/token is empty; write the secret into it"),
        (b"hunter\xff2", "/run/secrets/token is not UTF-8 text; write the secret into it and nothing else"),
    ] {
        assert_eq!(parse(path, bytes).unwrap_err().what, error);
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_is_what_it_is() {
    let reading = Reading::upload_key(&literal(KEY));
    let first = reading.current().await.unwrap();
    assert_eq!(later(&reading).await.as_deref(), Ok(KEY));
    assert!(Arc::ptr_eq(&first, &reading.current().await.unwrap()));
    assert!(!format!("{reading:?}").contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_when_it_comes_and_when_it_changes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("key");
    let reading = Reading::new(&SecretSource::File(path.clone()));
    for _ in 0..2 {
        let missing = later(&reading).await.unwrap_err();
        assert!(missing.starts_with(&format!("{} does not exist; create it", path.display())), "{missing}");
    }
    fs::write(&path, "one\n").unwrap();
    assert_eq!(later(&reading).await.as_deref(), Ok("one"));
    let one = reading.current().await.unwrap();
    assert!(Arc::ptr_eq(&one, &reading.current().await.unwrap()));
    replace(&path, "two\n");
    assert_eq!(later(&reading).await.as_deref(), Ok("two"));
    fs::remove_file(&path).unwrap();
    assert_eq!(later(&reading).await.as_deref(), Ok("two"), "a missing file does not take it away");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_can_be_guessed_is_none() {
    let (log, _guard) = Log::listen();
    let folder = tempdir().unwrap();
    let path = folder.path().join("key");
    let reading = Reading::upload_key(&SecretSource::File(path.clone()));
    fs::write(&path, "fifteen bytes..\n").unwrap();
    let short = later(&reading).await.unwrap_err();
    assert!(short.starts_with(&format!("{} holds a key shorter than 16 bytes", path.display())), "{short}");
    assert!(short.contains("openssl rand -base64 32") && !short.contains("fifteen"), "{short}");
    replace(&path, "sixteen bytes...\n");
    assert_eq!(later(&reading).await.as_deref(), Ok("sixteen bytes..."));
    replace(&path, "hunter2\n");
    assert_eq!(later(&reading).await.as_deref(), Ok("sixteen bytes..."), "what was good stays in force");
    assert_eq!(log.lines("shorter than 16 bytes").len(), 1);
    assert!(log.lines("hunter2").is_empty());
}
