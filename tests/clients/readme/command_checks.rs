//! The checks of the commands in README.md: what the page promises of each, beyond its success.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use super::readme_registry::{CORP, ReadmeRegistry};
use super::walkthrough::Walkthrough;
use super::{progress, push_checks};
use crate::containerd::assert_digest;
use crate::curl::{Reply, fetch};
use crate::image::digest_of;
use crate::process::{stdout, unchecked_output};
use crate::registry::PASSWORD;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Walkthrough {
    /// Runs one command as written, and checks its result.
    pub(super) async fn run(&mut self, command: &str) {
        progress(&format!("$ {command}"));
        let words: Vec<&str> = command.split_whitespace().skip_while(|word| is_assignment(word)).collect();
        match words[..] {
            ["regpass", "check", ..] => return self.run_check(command).await,
            ["regpass", "setup", "docker"] => return self.run_setup(command).await,
            ["regpass", ..] => return self.run_sidecar(command).await,
            ["docker", ..] => self.ensure_dockerd().await,
            ["ctr", ..] => {
                self.ensure_containerd().await;
                self.unused_files
                    .retain(|file| !command.split(' ').any(|word| word.len() > 1 && file.starts_with(word)));
            }
            _ => {}
        }
        if push_checks::is_push(&words) {
            return self.run_push(command, &words).await;
        }
        let registry = self.registry_of(command);
        let platform = registry.native_platform();
        let log_lengths = self.log_lengths(registry);
        let printed = stdout(&mut self.shell(command)).await;
        let image = words.last().expect("an image");
        match words[..] {
            ["curl", url] if url.ends_with("/v2/") => return assert_eq!(printed, "{}", "{command}"),
            ["curl", _] => self.assert_curl_read(registry, command, &printed).await,
            ["docker", "pull", _] => {
                assert!(printed.contains(&format!("\nDigest: {}\n", registry.image.digest)), "{printed}");
                let inspect = format!("docker image inspect --format '{{{{.Id}}}}' {image}");
                assert_eq!(stdout(&mut self.shell(&inspect)).await.trim(), platform.config, "{command}");
            }
            ["ctr", "images", "pull", ..] => {
                let mut ctr = self.shell("ctr \"$@\"");
                ctr.arg("ctr");
                assert_digest(ctr, image, &registry.image.digest).await;
            }
            ["podman", "pull", ..] => {
                let id = printed.lines().last().expect("an ID");
                assert_eq!(format!("sha256:{id}"), platform.config, "{command}");
                let inspect = format!("podman image inspect --format '{{{{.Digest}}}}' {image}");
                assert_eq!(stdout(&mut self.shell(&inspect)).await.trim(), registry.image.digest, "{command}");
            }
            ["buildah", "from", ..] => {
                let inspect = format!("buildah inspect --format '{{{{.FromImageDigest}}}}' {printed}");
                assert_eq!(stdout(&mut self.shell(&inspect)).await.trim(), platform.manifest, "{command}");
            }
            ["skopeo", "copy", ..] => {
                let folder = self.home().join(image.strip_prefix("dir:").expect("a folder"));
                let manifest = fs::read(folder.join("manifest.json")).expect("manifest.json");
                assert_eq!(digest_of(&manifest), platform.manifest, "{command}");
            }
            _ => panic!("README.md has a command that this test cannot check: {command}"),
        }
        self.wait_for_request(registry, log_lengths, 200).await;
    }

    /// Checks tags or a manifest that curl printed, then repeats the command to check the headers.
    async fn assert_curl_read(&self, registry: &ReadmeRegistry, command: &str, printed: &str) {
        let reply = fetch(&mut self.shell(&format!("{command} --silent --include"))).await;
        assert_eq!(reply.status, 200, "{command}");
        let timing = reply.header("server-timing");
        assert!(
            timing.is_some_and(|timing| timing.contains("auth;desc=") && timing.contains("upstream;dur=")),
            "{timing:?}"
        );
        if command.contains("/tags/list") {
            let tags: Value = serde_json::from_str(printed).expect("JSON");
            assert_eq!(tags["tags"], json!([registry.tag]), "{command}");
        } else {
            assert_eq!(digest_of(printed.as_bytes()), registry.image.digest, "{command}");
            assert_eq!(reply.header("docker-content-digest"), Some(&*registry.image.digest), "{command}");
            assert_eq!(reply.header("content-type"), Some(INDEX), "{command}");
        }
    }

    /// Checks that `setup` prints the file that the page shows in the block before. For a newer docker, other files follow it.
    async fn run_setup(&self, command: &str) {
        let printed = stdout(&mut self.shell(command)).await;
        let printed = printed.split("\n# ").next().expect("the first file");
        let printed: Value = serde_json::from_str(printed).expect("JSON");
        let shown = fs::read("/etc/docker/daemon.json").expect("daemon.json");
        assert_eq!(printed, serde_json::from_slice::<Value>(&shown).expect("JSON"), "{command}");
    }

    /// Checks that `check` prints the active configuration with secrets redacted, or every problem with file, line and
    /// a hint.
    async fn run_check(&mut self, command: &str) {
        let file = command.split(' ').next_back().expect("a file");
        self.unused_files.retain(|unused| unused.to_str() != Some(file));
        let printed = stdout(&mut self.shell(command)).await;
        for table in ["[registry.\"ghcr.io\"]", &format!("[registry.\"{CORP}\"]"), "[[listener]]"] {
            assert!(printed.contains(table), "{printed}");
        }
        assert!(!printed.contains(PASSWORD), "{printed}");

        // A secret in the configuration file itself is redacted.
        let path = self.home().join(file);
        let text = fs::read_to_string(&path).expect("the file");
        fs::write(&path, text.replace("{ env = \"GHCR_TOKEN\" }", "\"in-the-file\"")).expect("the file is written");
        let printed = stdout(&mut self.shell(command)).await;
        assert!(printed.contains("[redacted]") && !printed.contains("in-the-file"), "{printed}");

        fs::write(&path, format!("alow = []\n{text}")).expect("the file is written");
        let mut shell = self.shell(command);
        let Output { status, stdout, stderr } = unchecked_output(shell.env_remove("GHCR_TOKEN")).await;
        let problems = String::from_utf8_lossy(&stderr);
        assert_eq!((status.code(), stdout.len()), (Some(2), 0), "{problems}");
        // The page's file uses the unset variable in its second line, now the third.
        for expected in [format!("{file}:1:"), format!("{file}:3:"), "\n  set `GHCR_TOKEN` ".to_owned()] {
            assert!(problems.contains(&expected), "{expected:?} is not in {problems}");
        }
        fs::write(&path, text).expect("the file is written");
    }

    /// Checks the page's "regpass starts without configuration and without network."
    pub(super) async fn assert_serves_without_configuration(&self) {
        let ping = self.get("localhost:5050/v2/").await;
        assert_eq!((ping.status, &*ping.body), (200, &b"{}"[..]));
        assert_eq!(self.get("127.0.0.1:5051/livez").await.status, 200);
        let metrics = self.get("127.0.0.1:5051/metrics").await;
        assert!(metrics.text().contains("regpass_requests_total{registry=\"docker.io\",operation=\"ping\""));
        self.assert_unreachable("localhost:5050/v2/python/manifests/3.12", "docker.io").await;
    }

    /// Checks the comments of the page's configuration file while regpass serves with it.
    pub(super) async fn assert_serves_with_configuration(&self) {
        let corp = self.registry_of("team/app");
        self.assert_manifest(corp, &format!("corp/team/app/manifests/{}", corp.tag)).await;

        let reply = self.get("localhost:5050/v2/ghcr.io/toddysm/python/manifests/3.10").await;
        assert!(reply.status == 403 && reply.text().contains("repositories"), "{} {}", reply.status, reply.text());
        self.assert_unreachable("localhost:5050/v2/ghcr.io/me/app/manifests/1", "ghcr.io").await;
    }

    /// Checks that an error names the registry, the step, and which side caused it.
    async fn assert_unreachable(&self, url: &str, registry: &str) {
        let reply = self.get(url).await;
        let error: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let detail = json!({ "registry": registry, "step": "registry", "blame": "registry" });
        assert_eq!((reply.status, &error["errors"][0]["detail"]), (502, &detail), "{error}");
        assert!(error["errors"][0]["message"].as_str().is_some_and(|message| message.contains(registry)), "{error}");
    }

    /// Starts the sidecar and checks that it is pinned to GHCR and uses the credentials in the file that its variable
    /// names.
    async fn run_sidecar(&mut self, command: &str) {
        self.start_sidecar(command).await;
        self.assert_manifest(self.registry_of("toddysm/python"), "toddysm/python/manifests/3.10").await;
    }

    /// Checks that this path serves the registry's image, by a request to the registry.
    async fn assert_manifest(&self, registry: &ReadmeRegistry, path: &str) {
        let log_lengths = self.log_lengths(registry);
        let reply = self.get(&format!("localhost:5050/v2/{path}")).await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, registry.image.digest.clone()), "{}", reply.text());
        self.wait_for_request(registry, log_lengths, 200).await;
    }

    async fn get(&self, url: &str) -> Reply {
        fetch(&mut self.shell(&format!("curl --silent --show-error --include {url}"))).await
    }
}

/// Whether a word is `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}
