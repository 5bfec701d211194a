//! How it stops: what is under way finishes, and a second signal does not wait.

use std::fs;
use std::time::Duration;

use tokio::net::TcpStream;

use super::house::{House, curl, status_at};
use crate::process::output;
use crate::sim::{Blob, Fault};

const STOPPING: &str = "stopping: no new connections, open requests may finish";

#[tokio::test]
async fn a_download_finishes_and_the_exit_code_says_that_all_went_well() {
    let house = House::build().await;
    let blob = Blob::random(7, 256 << 10);
    house.registry.publish_blob("team/big", &blob);
    let mut regpass = house.start(&house.config("one", "")).await;
    house.registry.registry().inject(Fault::delay(Duration::from_secs(3)).path("/blobs/").times(1));
    let target = house.home.path().join("blob");
    let mut download = curl();
    download.args(["--fail", "--output"]).arg(&target);
    download.arg(format!("http://{}/v2/one/team/big/blobs/{}", regpass.address, blob.digest));
    let downloading = tokio::spawn(async move { output(&mut download).await });
    while house.sim.ledger().count("registry", |entry| entry.path.contains("/blobs/")) == 0 {
        tokio::task::yield_now().await;
    }
    regpass.signal("TERM");
    regpass.says(0, STOPPING).await;
    // Who comes now is turned away, not left waiting until the download is over.
    while TcpStream::connect(regpass.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!downloading.is_finished(), "nobody was turned away before the end");
    downloading.await.unwrap();
    assert_eq!(fs::read(target).unwrap().len(), 256 << 10);
    assert_eq!(regpass.daemon.ended().await.code(), Some(0));
    assert_eq!(
        regpass.daemon.count(&["/team/big", "\"direction\":\"pull\"", "\"outcome\":\"ok\""]),
        1,
        "told before its time"
    );
    house.sim.finish();
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let house = House::build().await;
    let mut regpass = house.start(&house.config("one", "")).await;
    house.registry.registry().inject(Fault::hang_before_head());
    let address = regpass.address;
    let waiting = tokio::spawn(async move { status_at(address, "/v2/one/team/app/manifests/1").await });
    while house.sim.ledger().count("registry", |_| true) == 0 {
        tokio::task::yield_now().await;
    }
    regpass.signal("TERM");
    regpass.says(0, STOPPING).await;
    regpass.signal("INT");
    regpass.says(0, "stopped at once by a second signal").await;
    assert_eq!(regpass.daemon.ended().await.code(), Some(0));
    assert_eq!(regpass.daemon.count(&["/team/app:1", "\"outcome\":\"unfinished\""]), 1);
    assert_eq!(waiting.await.unwrap(), "000");
}
