//! The memory that regpass needs does not depend on the size of a layer.

use std::fs::{self, File};
use std::sync::Arc;

use crate::process::{program, stdout};
use crate::regpass::Regpass;
use crate::sim::{Call, Handler, Reply, Role, Sim};

/// Size of the layer in bytes.
const LAYER_SIZE: u64 = 4 << 30;
/// Limit for the resident memory of regpass, in KiB.
pub(crate) const MAX_RESIDENT: u64 = 48 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn upload_of_four_gibibytes_needs_less_than_48_mebibytes_of_memory() {
    let sim = Sim::loopback();
    let registry = sim.serve("sink", Role::Other("sink"), sink()).await;
    let (name, url) = (registry.authority(), registry.origin());
    let regpass = Regpass::start(&format!(
        "default_registry = '{name}'\n[[listener]]\naddress = '127.0.0.1:0'\n\
         [registry.'{name}']\nurl = '{url}'\nallow = ['push']\n"
    ))
    .await;
    let home = tempfile::tempdir().expect("a directory for the layer");
    let layer = home.path().join("layer");
    File::create(&layer).and_then(|file| file.set_len(LAYER_SIZE)).expect("a sparse file");

    let mut start = program("curl", home.path());
    let uploads = regpass.url("/v2/team/app/blobs/uploads/");
    start.args(["-sS", "-X", "POST", "-o", "/dev/null", "-w", "%header{location}"]).arg(uploads);
    let location = stdout(&mut start).await;
    let mut upload = program("curl", home.path());
    let digest = format!("sha256:{}", "0".repeat(64));
    let target = regpass.url(&format!("{location}?digest={digest}"));
    upload.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-T"]).arg(layer).arg(target);
    assert_eq!(stdout(&mut upload).await, "201");

    let received: u64 = sim.ledger().entries().iter().map(|entry| entry.body_len).sum();
    assert_eq!(received, LAYER_SIZE, "bytes received by the registry");
    let peak = peak_memory(regpass.pid());
    assert!(peak < MAX_RESIDENT, "{peak} KiB resident");
    regpass.stop();
    sim.finish();
}

/// A registry that accepts every upload without a credential and stores nothing.
fn sink() -> Handler {
    Arc::new(|mut call: Call| {
        Box::pin(async move {
            match call.entry.method.as_str() {
                "POST" => Reply::new(202).header("location", "/v2/team/app/blobs/uploads/1"),
                "PUT" => {
                    while call.next_piece().await.is_some() {}
                    Reply::new(201)
                }
                _ => Reply::new(200),
            }
        })
    })
}

/// The peak resident memory of a running process, in KiB.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the status of a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
