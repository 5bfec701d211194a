//! curl with a rate limit: its transfers last seconds, so that replaced processes have to finish them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::results::Operation;
use super::super::run::SoakRun;
use super::super::target_registry::TargetRegistry;
use super::curl::{next_url, open_session};
use crate::curl::{curl, fetch};
use crate::image::Image;
use crate::process::{output, program, stdout};
use crate::push::curl::with_digest;

pub(super) const NAME: &str = "slow curl";

/// Bytes per second: the large layer takes several seconds.
const RATE: &str = "2M";

/// One client for each registry, because these clients mostly wait.
pub(super) const CLIENTS: usize = 2;

/// Runs the client with this number.
pub(super) async fn push_and_pull(run: Arc<SoakRun>, client: usize) {
    let home = tempfile::tempdir().expect("a directory for curl");
    let size = run.large.platforms[0].layer_bytes.len();
    for number in (client..).step_by(CLIENTS).take_while(|_| !run.is_over()) {
        let registry = run.registry(number);
        let repository = format!("soak/slow-{number}");
        run.results.record(NAME, Operation::Push, size, push(&run.large, registry, &repository, home.path())).await;
        run.results.record(NAME, Operation::Pull, size, pull(&run.large, registry, home.path())).await;
    }
}

/// Pushes to a new repository. The registry stores the blob only once, but each repository needs its own upload.
async fn push(image: &Image, registry: &TargetRegistry, repository: &str, home: &Path) {
    let platform = &image.platforms[0];
    let url = open_session(registry, repository, home).await;
    let mut patch = curl(home);
    patch.args(["--limit-rate", RATE, "--request", "PATCH", "--header", "Content-Type: application/octet-stream"]);
    let reply = fetch(patch.arg("--upload-file").arg(image.blob_file(&platform.layer)).arg(url)).await;
    let url = with_digest(&next_url(registry, &reply), &platform.layer);
    let reply = fetch(curl(home).args(["--request", "PUT", "--header", "Content-Length: 0", &url])).await;
    assert_eq!(reply.status, 201, "{}", reply.text());

    let stored = registry.registry.get(repository, &format!("blobs/{}", platform.layer)).await;
    assert!(stored.status == 200 && stored.body == platform.layer_bytes, "stored differently: {}", stored.status);
}

async fn pull(image: &Image, registry: &TargetRegistry, home: &Path) {
    let digest = &image.platforms[0].layer;
    let file = home.join("layer");
    let mut curl = program("curl", home);
    curl.args(["-q", "--silent", "--show-error", "--fail", "--limit-rate", RATE, "--output"]).arg(&file);
    output(curl.arg(registry.url("soak/large", &format!("blobs/{digest}")))).await;
    let sum = stdout(program("sha256sum", home).arg(&file)).await;
    assert_eq!(sum.split(' ').next(), digest.strip_prefix("sha256:"));
    fs::remove_file(file).expect("the layer is removed");
}
