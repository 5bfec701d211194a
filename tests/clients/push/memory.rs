//! However large a layer is, regpass holds a few pieces of it.

use std::fs::{self, File};
use std::sync::Arc;

use crate::process::{plain, stdout};
use crate::regpass::Regpass;
use crate::sim::{Call, Handler, Reply, Role, Sim};

const LAYER: u64 = 4 << 30;
/// In KiB.
pub(crate) const MOST_RESIDENT: u64 = 48 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn four_gibibytes_go_through_a_few_megabytes() {
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
    File::create(&layer).and_then(|file| file.set_len(LAYER)).expect("a sparse file");

    let mut start = plain("curl", home.path());
    let uploads = regpass.url("/v2/team/app/blobs/uploads/");
    start.args(["-sS", "-X", "POST", "-o", "/dev/null", "-w", "%header{location}"]).arg(uploads);
    let location = stdout(&mut start).await;
    let mut upload = plain("curl", home.path());
    let digest = format!("sha256:{}", "0".repeat(64));
    let target = regpass.url(&format!("{location}?digest={digest}"));
    upload.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-T"]).arg(layer).arg(target);
    assert_eq!(stdout(&mut upload).await, "201");

    let received: u64 = sim.ledger().entries().iter().map(|entry| entry.body_len).sum();
    assert_eq!(received, LAYER, "every byte arrived");
    let peak = peak_memory(regpass.id());
    assert!(peak < MOST_RESIDENT, "{peak} KiB were resident");
    regpass.stop();
    sim.finish();
}

/// A registry that lets everybody push and keeps nothing.
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

/// The most that process `id` ever had resident, in KiB.
pub(crate) fn peak_memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
