//! An upload that is begun through one process and goes on through another.

use std::fs;

use tempfile::TempDir;

use super::session::Session;
use super::{OCTETS, bare, code, send};
use crate::push::ALLOW;
use crate::registry::{BY_REGPASS, Registry};
use crate::regpass::Regpass;
use crate::scene::{LONG, Login, Scene};

const KEY: &str = "sixteen bytes or more, and a secret";
const OLD_KEY: &str = "what was the key before the other one";

const NAME: &str = "reg/team/app";
const REPOSITORY: &str = "team/app";

/// A stage whose regpass signs with [`KEY`] and believes [`OLD_KEY`] as well.
struct Stage {
    scene: Scene,
    keys: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let keys = tempfile::tempdir().expect("a directory for keys");
        fs::write(keys.path().join("key"), KEY).expect("the key");
        fs::write(keys.path().join("old"), OLD_KEY).expect("the old key");
        let head = ALLOW.to_owned() + &setting(&keys, &["key", "old"]);
        let scene = Scene::set_with(Registry::start_token(LONG).await, Login::Password, &head).await;
        Self { scene, keys }
    }

    /// A process that begins an upload and ends; the session goes on through the process of the scene.
    async fn begun_with(&self, keys: &[&str]) -> Session<'_> {
        let config = self.scene.config.replace(&setting(&self.keys, &["key", "old"]), &setting(&self.keys, keys));
        let process = Regpass::start(&config).await;
        let reply = bare(&self.scene, "POST", &process.url(&format!("/v2/{NAME}/blobs/uploads/"))).await;
        for line in process.stop() {
            assert!(!line.contains(KEY) && !line.contains(OLD_KEY), "a key in the log: {line}");
        }
        Session::opened(&self.scene, REPOSITORY, &reply)
    }
}

/// A line of the configuration; none without keys.
fn setting(directory: &TempDir, keys: &[&str]) -> String {
    let keys = keys.iter().map(|key| format!("{{ file = '{}' }}", directory.path().join(key).display()));
    let keys = keys.collect::<Vec<_>>().join(", ");
    if keys.is_empty() { String::new() } else { format!("upload_key = [{keys}]\n") }
}

#[tokio::test]
async fn goes_on_with_the_same_key() {
    let stage = Stage::set().await;
    let blob = &stage.scene.image.platforms[0].layer_bytes;
    let (first, last) = blob.split_at(blob.len() / 2);
    for keys in [&["key"][..], &["old"], &["old", "key"]] {
        let mut session = stage.begun_with(keys).await;
        session.patch(&[], first).await;
        session.finish(last, blob).await;
    }
    stage.scene.close();
}

#[tokio::test]
async fn is_unknown_without_the_key() {
    let stage = Stage::set().await;
    fs::write(stage.keys.path().join("other"), "a key that nobody else has").expect("another key");
    for keys in [&[][..], &["other"]] {
        let session = stage.begun_with(keys).await;
        for method in ["PATCH", "PUT"] {
            let url = if method == "PUT" { session.last(&stage.scene.image.digest) } else { session.url.clone() };
            let reply = send(&stage.scene, method, &url, &[OCTETS], b"bytes").await;
            assert_eq!((reply.status, &*code(&reply)), (404, "BLOB_UPLOAD_UNKNOWN"), "{method}");
        }
        for method in ["GET", "DELETE"] {
            let reply = bare(&stage.scene, method, &session.url).await;
            assert_eq!((reply.status, &*code(&reply)), (404, "BLOB_UPLOAD_UNKNOWN"), "{method}");
        }
    }
    // Nothing of it has come to the registry.
    for method in ["PATCH", "DELETE"] {
        let method = format!("\"http.request.method\":\"{method}\"");
        assert_eq!(stage.scene.registry.log().count(&[BY_REGPASS, &method]), 0, "{method}");
    }
    stage.scene.close();
}
