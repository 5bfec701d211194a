//! A registry whose connections are reset after every few hundred kilobytes: large blobs arrive whole and right.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::process::{isolated, output, program, stdout};
use crate::regpass::Regpass;
use crate::sim::{AuthMode, Blob, Fault, Image, ImageFormat, Preset, Registry, Sim};

const BLOB_SIZE: u64 = 1 << 30;
/// Of the image that skopeo copies, in bytes.
const LAYER_SIZE: u64 = 256 << 20;
/// Bytes after which a connection is reset.
const LEGS: std::ops::Range<u64> = 64 << 10..4 << 20;
/// Different legs, which take turns.
const LEG_COUNT: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn gibibyte_over_connections_that_are_reset_every_few_hundred_kilobytes_is_whole() {
    let sim = Sim::loopback();
    let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
    let blob = Blob::synthetic(BLOB_SIZE);
    registry.publish("team/app", "1", &Image::with_layers("app", ImageFormat::Oci, &[Blob::synthetic(LAYER_SIZE)]));
    registry.publish_blob("team/app", &blob);
    reset_connections(&registry);
    let (name, url) = (registry.authority(), registry.origin());
    let regpass = Regpass::start(&format!(
        "default_registry = '{name}'\n[[listener]]\naddress = '127.0.0.1:0'\n[registry.'{name}']\nurl = '{url}'\n"
    ))
    .await;
    let home = tempfile::tempdir().expect("a directory for the content");

    let file = home.path().join("blob");
    let mut curl = program("curl", home.path());
    curl.args(["-q", "--silent", "--show-error", "--fail", "--output"]).arg(&file);
    output(curl.arg(regpass.url(&format!("/v2/team/app/blobs/{}", blob.digest)))).await;
    let sum = stdout(program("sha256sum", home.path()).arg(&file)).await;
    assert_eq!(format!("sha256:{}", sum.split(' ').next().unwrap_or_default()), blob.digest);
    fs::remove_file(file).expect("the blob is removed");
    let legs = sim.ledger().count("registry", |entry| entry.path.contains(&blob.digest));
    assert!(legs > 300, "{legs} requests: the connections were not reset");

    copy_with_skopeo(&regpass, &home).await;
    regpass.stop();
}

/// Resets each response with a blob after another number of bytes.
fn reset_connections(registry: &Registry) {
    let mut random = fastrand::Rng::with_seed(14);
    let turn = Arc::<AtomicUsize>::default();
    for leg in 0..LEG_COUNT {
        let turn = turn.clone();
        let is_next = move |_: &_| {
            // The faults are tried in order, so the first one counts the requests.
            let turn = if leg == 0 { turn.fetch_add(1, Ordering::AcqRel) + 1 } else { turn.load(Ordering::Acquire) };
            turn % LEG_COUNT == leg
        };
        registry.api().inject(Fault::reset_mid_body(random.u64(LEGS)).path("/blobs/").when(is_next));
    }
}

/// skopeo verifies the digest of every blob.
async fn copy_with_skopeo(regpass: &Regpass, home: &TempDir) {
    let source = format!("docker://{}", regpass.image("team/app:1"));
    let target = format!("dir:{}", home.path().join("image").display());
    output(isolated("skopeo", home.path()).args(["copy", "--src-tls-verify=false", &source, &target])).await;
}
