//! curl sends every request on a new connection, so that two requests of an upload may reach different processes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::run::{Round, SoakRun};
use super::super::target_registry::TargetRegistry;
use crate::curl::{Reply, curl, fetch};
use crate::image::{MANIFEST, digest_of};
use crate::push::curl::with_digest;
use crate::push::stored_image::StoredImage;

const OCTET_STREAM: &str = "application/octet-stream";

pub(super) async fn push_and_pull(run: Arc<SoakRun>) {
    let home = tempfile::tempdir().expect("a directory for curl");
    for round in run.rounds("curl") {
        round.push(push(&round, home.path())).await;
        round.pull(pull(&round, home.path())).await;
    }
}

async fn push(round: &Round<'_>, home: &Path) {
    let (registry, platform) = (round.registry, round.platform());
    let mut url = open_session(registry, &round.repository, home).await;
    let (first, last) = platform.layer_bytes.split_at(platform.layer_bytes.len() / 2);
    for part in [first, last] {
        let reply = send(home, "PATCH", &url, OCTET_STREAM, part).await;
        url = next_url(registry, &reply);
    }
    put(home, &with_digest(&url, &platform.layer), OCTET_STREAM, b"").await;

    let url = open_session(registry, &round.repository, home).await;
    let config = round.image.read_blob(&platform.config);
    put(home, &with_digest(&url, &platform.config), OCTET_STREAM, &config).await;

    let url = registry.url(&round.repository, &format!("manifests/{}", round.tag));
    put(home, &url, MANIFEST, &round.image.read_blob(&platform.manifest)).await;
    let stored = StoredImage::read(&registry.registry, &round.repository, &round.tag).await;
    assert_eq!(stored.digest(), platform.manifest);
    stored.assert_unpacks_to(platform);
}

async fn pull(round: &Round<'_>, home: &Path) {
    let platform = round.platform();
    for (path, digest) in [
        (format!("manifests/{}", round.tag), &platform.manifest),
        (format!("blobs/{}", platform.config), &platform.config),
        (format!("blobs/{}", platform.layer), &platform.layer),
    ] {
        let reply = fetch(curl(home).arg(round.registry.url(&round.repository, &path))).await;
        assert_eq!((reply.status, &digest_of(&reply.body)), (200, digest), "{path}");
        assert_eq!(reply.header("docker-content-digest"), Some(&**digest), "{path}");
    }
}

/// Opens an upload session and returns the URL of its first request.
pub(super) async fn open_session(registry: &TargetRegistry, repository: &str, home: &Path) -> String {
    let url = registry.url(repository, "blobs/uploads/");
    let reply = fetch(curl(home).args(["--request", "POST", "--header", "Content-Length: 0", &url])).await;
    next_url(registry, &reply)
}

/// The URL of the next request of an upload session.
pub(super) fn next_url(registry: &TargetRegistry, reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.text());
    registry.absolute(reply.header("location").expect("a Location"))
}

async fn put(home: &Path, url: &str, media_type: &str, body: &[u8]) {
    let reply = send(home, "PUT", url, media_type, body).await;
    assert_eq!(reply.status, 201, "{url}: {}", reply.text());
}

async fn send(home: &Path, method: &str, url: &str, media_type: &str, body: &[u8]) -> Reply {
    let file = home.join("body");
    fs::write(&file, body).expect("the body is written");
    let mut curl = curl(home);
    curl.args(["--request", method, "--header", &format!("Content-Type: {media_type}"), "--data-binary"]);
    fetch(curl.arg(format!("@{}", file.display())).arg(url)).await
}
