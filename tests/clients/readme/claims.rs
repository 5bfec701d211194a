//! What the page promises of each command, beyond that it succeeds.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use super::reader::Reader;
use super::remote::{CORP, Remote};
use super::{pushes, say};
use crate::curl::{Reply, fetch};
use crate::image::{Platform, digest_of};
use crate::process::{ended, stdout};
use crate::registry::PASSWORD;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Reader {
    /// Runs one command as it is written.
    pub(super) async fn runs(&mut self, command: &str) {
        say(&format!("$ {command}"));
        let words: Vec<&str> = command.split_whitespace().skip_while(|word| is_assignment(word)).collect();
        match words[..] {
            ["regpass", "check", ..] => return self.checks(command).await,
            ["regpass", "setup", "docker"] => return self.sets_up(command).await,
            ["regpass", ..] => return self.runs_the_sidecar(command).await,
            ["docker", ..] => self.needs_dockerd().await,
            ["ctr", ..] => {
                self.needs_containerd().await;
                self.unused.retain(|file| !command.split(' ').any(|word| word.len() > 1 && file.starts_with(word)));
            }
            _ => {}
        }
        if pushes::is_one(&words) {
            return self.pushes(command, &words).await;
        }
        let remote = self.remote(command);
        let marks = self.marks(remote);
        let printed = stdout(&mut self.sh(command)).await;
        let last = words.last().expect("an image");
        match words[..] {
            ["curl", url] if url.ends_with("/v2/") => return assert_eq!(printed, "{}", "{command}"),
            ["curl", _] => self.read_by_curl(remote, command, &printed).await,
            ["docker", "pull", _] => {
                assert!(printed.contains(&format!("\nDigest: {}\n", remote.image.digest)), "{printed}");
                let id = stdout(&mut self.sh(&format!("docker image inspect --format '{{{{.Id}}}}' {last}"))).await;
                assert_eq!(id.trim(), here(remote).config, "{command}");
            }
            ["ctr", "images", "pull", ..] => {
                let images = stdout(&mut self.sh("ctr images list")).await;
                let image = images.lines().find(|line| line.starts_with(last)).expect("the image in the list");
                assert_eq!(image.split_whitespace().nth(2), Some(&*remote.image.digest), "{command}");
            }
            ["podman", "pull", ..] => {
                let id = printed.lines().last().expect("its name");
                assert_eq!(format!("sha256:{id}"), here(remote).config, "{command}");
                let inspect = format!("podman image inspect --format '{{{{.Digest}}}}' {last}");
                assert_eq!(stdout(&mut self.sh(&inspect)).await.trim(), remote.image.digest, "{command}");
            }
            ["buildah", "from", ..] => {
                let inspect = format!("buildah inspect --format '{{{{.FromImageDigest}}}}' {printed}");
                assert_eq!(stdout(&mut self.sh(&inspect)).await.trim(), here(remote).manifest, "{command}");
            }
            ["skopeo", "copy", ..] => {
                let folder = self.home().join(last.strip_prefix("dir:").expect("a folder"));
                let manifest = fs::read(folder.join("manifest.json")).expect("manifest.json");
                assert_eq!(digest_of(&manifest), here(remote).manifest, "{command}");
            }
            _ => panic!("README.md has a command that this test cannot judge: {command}"),
        }
        self.came_through(remote, marks).await;
    }

    /// Tags or a manifest; the same again with the head, which says what the page says about it.
    async fn read_by_curl(&self, remote: &Remote, command: &str, printed: &str) {
        let reply = fetch(&mut self.sh(&format!("{command} --silent --include"))).await;
        assert_eq!(reply.status, 200, "{command}");
        let timing = reply.header("server-timing");
        assert!(
            timing.is_some_and(|timing| timing.contains("auth;desc=") && timing.contains("upstream;dur=")),
            "{timing:?}"
        );
        if command.contains("/tags/list") {
            let tags: Value = serde_json::from_str(printed).expect("JSON");
            assert_eq!(tags["tags"], json!([remote.tag]), "{command}");
        } else {
            assert_eq!(digest_of(printed.as_bytes()), remote.image.digest, "{command}");
            assert_eq!(reply.header("docker-content-digest"), Some(&*remote.image.digest), "{command}");
            assert_eq!(reply.header("content-type"), Some(INDEX), "{command}");
        }
    }

    /// It prints the file that the page showed before, and wrote.
    async fn sets_up(&self, command: &str) {
        let printed: Value = serde_json::from_str(&stdout(&mut self.sh(command)).await).expect("JSON");
        let shown = fs::read("/etc/docker/daemon.json").expect("daemon.json");
        assert_eq!(printed, serde_json::from_slice::<Value>(&shown).expect("JSON"), "{command}");
    }

    async fn checks(&mut self, command: &str) {
        let file = command.split(' ').next_back().expect("a file");
        self.unused.retain(|unused| unused.to_str() != Some(file));
        let printed = stdout(&mut self.sh(command)).await;
        for table in ["[registry.\"ghcr.io\"]", &format!("[registry.\"{CORP}\"]"), "[[listener]]"] {
            assert!(printed.contains(table), "{printed}");
        }
        assert!(!printed.contains(PASSWORD), "{printed}");

        // A secret that stands in the file itself.
        let path = self.home().join(file);
        let text = fs::read_to_string(&path).expect("the file");
        fs::write(&path, text.replace("{ env = \"GHCR_TOKEN\" }", "\"in-the-file\"")).expect("the file");
        let printed = stdout(&mut self.sh(command)).await;
        assert!(printed.contains("[redacted]") && !printed.contains("in-the-file"), "{printed}");

        fs::write(&path, format!("alow = []\n{text}")).expect("the file");
        let mut sh = self.sh(command);
        let Output { status, stdout, stderr } = ended(sh.env_remove("GHCR_TOKEN")).await;
        let told = String::from_utf8_lossy(&stderr);
        assert_eq!((status.code(), stdout.len()), (Some(2), 0), "{told}");
        // The unset variable is in the second line of the page's file.
        for place in [format!("{file}:1:"), format!("{file}:3:"), "\n  set GHCR_TOKEN ".to_owned()] {
            assert!(told.contains(&place), "{place:?} is not in {told}");
        }
        fs::write(&path, text).expect("the file");
    }

    /// "No configuration and no network are needed to start."
    pub(super) async fn sees_the_default(&self) {
        let ping = self.get("localhost:5050/v2/").await;
        assert_eq!((ping.status, &*ping.body), (200, &b"{}"[..]));
        assert_eq!(self.get("127.0.0.1:5051/livez").await.status, 200);
        let metrics = self.get("127.0.0.1:5051/metrics").await;
        assert!(metrics.text().contains("regpass_requests_total{registry=\"docker.io\",operation=\"ping\""));
        self.assert_unreachable("localhost:5050/v2/python/manifests/3.12", "docker.io").await;
    }

    /// The page's configuration file, served: what its comments say.
    pub(super) async fn sees_the_file_in_force(&self) {
        let corp = self.remote("team/app");
        let marks = self.marks(corp);
        let reply = self.get(&format!("localhost:5050/v2/corp/team/app/manifests/{}", corp.tag)).await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, corp.image.digest.clone()), "{}", reply.text());
        self.came_through(corp, marks).await;

        let reply = self.get("localhost:5050/v2/ghcr.io/toddysm/python/manifests/3.10").await;
        assert!(reply.status == 403 && reply.text().contains("repositories"), "{} {}", reply.status, reply.text());
        self.assert_unreachable("localhost:5050/v2/ghcr.io/me/app/manifests/1", "ghcr.io").await;
    }

    /// An error names the registry, the step and whose fault it is.
    async fn assert_unreachable(&self, url: &str, registry: &str) {
        let reply = self.get(url).await;
        let error: Value = serde_json::from_slice(&reply.body).expect("JSON");
        let detail = json!({ "registry": registry, "step": "registry", "blame": "registry" });
        assert_eq!((reply.status, &error["errors"][0]["detail"]), (502, &detail), "{error}");
        assert!(error["errors"][0]["message"].as_str().is_some_and(|message| message.contains(registry)), "{error}");
    }

    /// Pinned, and with the logins of the file that its variable names.
    async fn runs_the_sidecar(&mut self, command: &str) {
        self.starts_the_sidecar(command).await;
        let ghcr = self.remote("toddysm/python");
        let marks = self.marks(ghcr);
        let reply = self.get("localhost:5050/v2/toddysm/python/manifests/3.10").await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, ghcr.image.digest.clone()), "{}", reply.text());
        self.came_through(ghcr, marks).await;
    }

    async fn get(&self, url: &str) -> Reply {
        fetch(&mut self.sh(&format!("curl --silent --show-error --include {url}"))).await
    }
}

/// The platform that engines pull when nobody says which.
pub(super) fn here(remote: &Remote) -> &Platform {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let mut platforms = remote.image.platforms.iter();
    platforms.find(|platform| platform.architecture == architecture).expect("this machine's platform")
}

/// `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}
