//! Upload sessions that start in one process of regpass and continue in another.

use std::fs;

use tempfile::TempDir;

use super::session::UploadSession;
use super::{OCTET_STREAM, assert_error, send, send_empty};
use crate::push::ALLOW;
use crate::registry::{BY_REGPASS, Registry};
use crate::regpass::Regpass;
use crate::stack::{LONG_LIFETIME, Stack};

const KEY: &str = "sixteen bytes or more, and a secret";
const OLD_KEY: &str = "what was the key before the other one";

const NAME: &str = "reg/team/app";
const REPOSITORY: &str = "team/app";

/// A stack whose regpass encrypts upload locations with the key in the file `key`, and also accepts the key in the file
/// `old`.
struct KeyedStack {
    stack: Stack,
    keys: TempDir,
}

impl KeyedStack {
    async fn start() -> Self {
        let keys = tempfile::tempdir().expect("a directory for keys");
        for (name, key) in [("key", KEY), ("old", OLD_KEY)] {
            fs::write(keys.path().join(name), key).expect("a key is written");
        }
        let head = ALLOW.to_owned() + &upload_key(&keys, &["key", "old"]);
        let stack = Stack::start_with(Registry::start_token(LONG_LIFETIME).await, &head).await;
        Self { stack, keys }
    }

    /// Opens a session in another process with these keys. The session then continues in the stack's regpass.
    async fn session_opened_with(&self, keys: &[&str]) -> UploadSession<'_> {
        let config = self.stack.config.replace(&upload_key(&self.keys, &["key", "old"]), &upload_key(&self.keys, keys));
        let process = Regpass::start(&config).await;
        let reply = send_empty(&self.stack, "POST", &process.url(&format!("/v2/{NAME}/blobs/uploads/"))).await;
        for line in process.stop() {
            assert!(!line.contains(KEY) && !line.contains(OLD_KEY), "a key in the log: {line}");
        }
        UploadSession::from_reply(&self.stack, REPOSITORY, &reply)
    }
}

/// The configuration line `upload_key` with the keys in these files, or no line without keys.
fn upload_key(directory: &TempDir, keys: &[&str]) -> String {
    let keys = keys.iter().map(|key| format!("{{ file = '{}' }}", directory.path().join(key).display()));
    let keys = keys.collect::<Vec<_>>().join(", ");
    if keys.is_empty() { String::new() } else { format!("upload_key = [{keys}]\n") }
}

#[tokio::test]
async fn session_continues_in_a_process_with_the_same_key() {
    let keyed = KeyedStack::start().await;
    let blob = &keyed.stack.image.platforms[0].layer_bytes;
    let (first, last) = blob.split_at(blob.len() / 2);
    for keys in [&["key"][..], &["old"], &["old", "key"]] {
        let mut session = keyed.session_opened_with(keys).await;
        session.patch(&[], first).await;
        session.finish(last, blob).await;
    }
    keyed.stack.finish();
}

#[tokio::test]
async fn session_is_unknown_to_a_process_without_its_key() {
    let keyed = KeyedStack::start().await;
    let stack = &keyed.stack;
    fs::write(keyed.keys.path().join("other"), "a key of no other process").expect("a key is written");
    for keys in [&[][..], &["other"]] {
        let session = keyed.session_opened_with(keys).await;
        let finish_url = session.finish_url(&stack.image.digest);
        for (method, url) in [("PATCH", &session.url), ("PUT", &finish_url)] {
            let reply = send(stack, method, url, &[OCTET_STREAM], b"bytes").await;
            assert_error(&reply, 404, "BLOB_UPLOAD_UNKNOWN", method);
        }
        for method in ["GET", "DELETE"] {
            assert_error(&send_empty(stack, method, &session.url).await, 404, "BLOB_UPLOAD_UNKNOWN", method);
        }
    }
    for method in ["PATCH", "DELETE"] {
        let field = format!("\"http.request.method\":\"{method}\"");
        assert_eq!(stack.registry.daemon().count_lines(&[BY_REGPASS, &field]), 0, "{method} reached the registry");
    }
    keyed.stack.finish();
}
