//! curl over a slow line: a transfer lasts for seconds, so that processes have to finish it after they are replaced.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::place::Place;
use super::super::stage::Stage;
use super::super::tally::Act;
use super::curl::{begin, curl, gone_on, last_of};
use crate::curl::fetch;
use crate::image::Image;
use crate::process::{output, plain, stdout};

/// Bytes in a second: several seconds for the large layer.
const RATE: &str = "2M";

/// There is one in front of each registry: it waits most of its time.
pub(super) const LINES: [usize; 2] = [0, 1];

pub(super) async fn work(stage: Arc<Stage>, line: usize) {
    let home = tempfile::tempdir().expect("a directory for curl");
    let home = home.path();
    let size = stage.large.platforms[0].layer_bytes.len();
    for number in (line..).step_by(LINES.len()) {
        if stage.is_over() {
            break;
        }
        let place = stage.place(number);
        let repository = format!("soak/slow-{number}");
        stage.tally.count("curl, slowly", Act::Push, size, push(&stage.large, place, &repository, home)).await;
        stage.tally.count("curl, slowly", Act::Pull, size, pull(&stage.large, place, home)).await;
    }
}

/// The registry keeps one copy of the blob for all repositories, but every one has to be sent it.
async fn push(image: &Image, place: &Place, repository: &str, home: &Path) {
    let platform = &image.platforms[0];
    let layer = image.layout().join("blobs/sha256").join(platform.layer.trim_start_matches("sha256:"));
    let url = begin(place, repository, home).await;
    let mut patch = curl(home);
    patch.args(["--limit-rate", RATE, "--request", "PATCH", "--header", "Content-Type: application/octet-stream"]);
    let url = gone_on(place, &fetch(patch.arg("--upload-file").arg(layer).arg(url)).await);
    let url = last_of(&url, &platform.layer);
    let reply = fetch(curl(home).args(["--request", "PUT", "--header", "Content-Length: 0", &url])).await;
    assert_eq!(reply.status, 201, "{}", reply.text());

    let held = place.registry.get(repository, &format!("blobs/{}", platform.layer)).await;
    assert!(held.status == 200 && held.body == platform.layer_bytes, "what the registry has: {}", held.status);
}

async fn pull(image: &Image, place: &Place, home: &Path) {
    let digest = &image.platforms[0].layer;
    let file = home.join("layer");
    let mut curl = plain("curl", home);
    curl.args(["-q", "--silent", "--show-error", "--fail", "--limit-rate", RATE, "--output"]).arg(&file);
    output(curl.arg(place.url("soak/large", &format!("blobs/{digest}")))).await;
    let sum = stdout(plain("sha256sum", home).arg(&file)).await;
    assert_eq!(sum.split(' ').next(), digest.strip_prefix("sha256:"));
    fs::remove_file(file).expect("the layer");
}
