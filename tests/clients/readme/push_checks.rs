//! The checks of commands in README.md that push: the registry itself must have what they sent.

use super::walkthrough::Walkthrough;
use crate::process::stdout;
use crate::push::stored_image::{StoredImage, stored_blob};

/// Whether a command pushes, or prepares a push.
pub(super) fn is_push(words: &[&str]) -> bool {
    match words {
        ["docker", "tag" | "push", ..] | ["echo", ..] | ["curl", "-T", ..] => true,
        ["skopeo", "copy", .., target] => target.starts_with("docker://"),
        _ => false,
    }
}

impl Walkthrough {
    /// Runs a command that pushes, and checks its result.
    pub(super) async fn run_push(&self, command: &str, words: &[&str]) {
        let registry = self.registry_of(command);
        let log_lengths = self.log_lengths(registry);
        let printed = stdout(&mut self.shell(command)).await;
        let target = *words.last().expect("a target");
        if words.starts_with(&["docker", "tag"]) {
            return;
        }
        if words.contains(&"echo") {
            let digest = target.trim_matches('"').split("digest=").nth(1).expect("a digest");
            assert_eq!(stored_blob(&registry.registry, registry.repository, digest).await, b"hello\n", "{command}");
        } else {
            // The pushed images were pulled from Docker Hub, the registry of `python`, so their content is that of its image.
            let platform = self.registry_of("python").native_platform();
            let tag = target.rsplit([':', '/']).next().expect("a tag");
            let stored = StoredImage::read(&registry.registry, registry.repository, tag).await;
            stored.assert_unpacks_to(platform);
            if words[0] == "docker" {
                assert!(printed.contains(&format!("\n{tag}: digest: {} size: ", stored.digest())), "{printed}");
            } else {
                assert_eq!(stored.digest(), platform.manifest, "{command}");
            }
        }
        self.wait_for_request(registry, log_lengths, 201).await;
    }
}
