//! What the page promises of commands that push: the registry itself has what they sent.

use super::claims::here;
use super::reader::Reader;
use crate::process::stdout;
use crate::push::held::{Held, blob};

/// Whether a command writes, or prepares to.
pub(super) fn is_one(words: &[&str]) -> bool {
    match words {
        ["docker", "tag" | "push", ..] | ["echo", ..] | ["curl", "-T", ..] => true,
        ["skopeo", "copy", .., target] => target.starts_with("docker://"),
        _ => false,
    }
}

impl Reader {
    pub(super) async fn pushes(&self, command: &str, words: &[&str]) {
        let remote = self.remote(command);
        let marks = self.marks(remote);
        let printed = stdout(&mut self.sh(command)).await;
        let last = *words.last().expect("a target");
        if words.starts_with(&["docker", "tag"]) {
            return;
        }
        if words.contains(&"echo") {
            let digest = last.trim_matches('"').split("digest=").nth(1).expect("a digest");
            assert_eq!(blob(&remote.registry, remote.repository, digest).await, b"hello\n", "{command}");
        } else {
            // What goes there came from Docker Hub.
            let platform = here(self.remote("python"));
            let tag = last.rsplit([':', '/']).next().expect("a tag");
            let held = Held::read(&remote.registry, remote.repository, tag).await;
            held.assert_unpacks_to(platform);
            if words[0] == "docker" {
                assert!(printed.contains(&format!("\n{tag}: digest: {} size: ", held.digest())), "{printed}");
            } else {
                assert_eq!(held.digest(), platform.manifest, "{command}");
            }
        }
        self.went_through(remote, marks, 201).await;
    }
}
