//! curl: every request on a connection of its own, so that any two of an upload may meet different processes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::process::Command;

use super::super::place::Place;
use super::super::stage::{Stage, Turn};
use super::super::tally::Act;
use crate::curl::{Reply, fetch};
use crate::image::{MANIFEST, digest_of};
use crate::process::plain;
use crate::push::held::Held;

const REPOSITORY: &str = "soak/curl";

pub(super) async fn work(stage: Arc<Stage>) {
    let home = tempfile::tempdir().expect("a directory for curl");
    let home = home.path();
    for number in 0.. {
        if stage.is_over() {
            break;
        }
        let turn = stage.turn("curl", number);
        stage.tally.count("curl", Act::Push, turn.size(), push(&turn, home)).await;
        stage.tally.count("curl", Act::Pull, turn.size(), pull(&turn, home)).await;
    }
}

async fn push(turn: &Turn<'_>, home: &Path) {
    let (place, platform) = (turn.place, &turn.image.platforms[0]);
    let mut url = begin(place, REPOSITORY, home).await;
    let (first, last) = platform.layer_bytes.split_at(platform.layer_bytes.len() / 2);
    for part in [first, last] {
        let reply = send(home, "PATCH", &url, "application/octet-stream", part).await;
        url = gone_on(place, &reply);
    }
    let reply = send(home, "PUT", &last_of(&url, &platform.layer), "application/octet-stream", b"").await;
    assert_eq!(reply.status, 201, "{}", reply.text());

    let blobs = turn.image.layout().join("blobs/sha256");
    let read = |digest: &str| fs::read(blobs.join(digest.trim_start_matches("sha256:"))).expect("a blob");
    let url = begin(place, REPOSITORY, home).await;
    let whole = last_of(&url, &platform.config);
    let reply = send(home, "PUT", &whole, "application/octet-stream", &read(&platform.config)).await;
    assert_eq!(reply.status, 201, "{}", reply.text());

    let url = place.url(REPOSITORY, &format!("manifests/{}", turn.tag));
    let reply = send(home, "PUT", &url, MANIFEST, &read(&platform.manifest)).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let held = Held::read(&place.registry, REPOSITORY, &turn.tag).await;
    assert_eq!(held.digest(), platform.manifest);
    held.assert_unpacks_to(platform);
}

async fn pull(turn: &Turn<'_>, home: &Path) {
    let platform = &turn.image.platforms[0];
    let tag = format!("manifests/{}", turn.tag);
    for (path, digest) in [
        (tag, &platform.manifest),
        (format!("blobs/{}", platform.config), &platform.config),
        (format!("blobs/{}", platform.layer), &platform.layer),
    ] {
        let reply = fetch(curl(home).arg(turn.place.url(REPOSITORY, &path))).await;
        assert_eq!((reply.status, &digest_of(&reply.body)), (200, digest), "{path}");
        assert_eq!(reply.header("docker-content-digest"), Some(&**digest), "{path}");
    }
}

/// Where the first request of a new upload goes.
pub(super) async fn begin(place: &Place, repository: &str, home: &Path) -> String {
    let url = place.url(repository, "blobs/uploads/");
    let reply = fetch(curl(home).args(["--request", "POST", "--header", "Content-Length: 0", &url])).await;
    gone_on(place, &reply)
}

/// Where the next request of an upload goes.
pub(super) fn gone_on(place: &Place, reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.text());
    place.at(reply.header("location").expect("a Location"))
}

/// Where the PUT that ends it goes.
pub(super) fn last_of(url: &str, digest: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}digest={digest}")
}

async fn send(home: &Path, method: &str, url: &str, media_type: &str, body: &[u8]) -> Reply {
    let file = home.join("body");
    fs::write(&file, body).expect("the body");
    let mut curl = curl(home);
    curl.args(["--request", method, "--header", &format!("Content-Type: {media_type}"), "--data-binary"]);
    fetch(curl.arg(format!("@{}", file.display())).arg(url)).await
}

pub(super) fn curl(home: &Path) -> Command {
    let mut curl = plain("curl", home);
    curl.args(["-q", "--silent", "--show-error", "--include"]);
    curl
}
