//! A changed configuration is in force within seconds, and nothing is dropped for it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tokio::net::TcpListener;

use super::house::{House, curl, status_at};
use crate::process::output;
use crate::sim::{Blob, Fault};

const IN_FORCE: &str = "the new configuration is in force";

#[tokio::test]
async fn a_changed_file_is_in_force_within_seconds() {
    let house = House::build().await;
    let regpass = house.start(&house.config("one", "")).await;
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200");
    house.sim.ledger().take();
    let mark = regpass.daemon.mark();
    house.write(&house.config("two", ""));
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(regpass.status("/v2/two/team/app/manifests/1").await, "200");
    assert_ne!(regpass.status("/v2/one/team/app/manifests/1").await, "200", "the default registry's, now");
    assert!(regpass.admin_page("/metrics").await.contains("regpass_config_reloads_total{outcome=\"replaced\"} 1"));
    house.sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    house.sim.finish();
}

/// As a kubelet changes a mounted config map, and as an editor saves.
#[tokio::test]
async fn files_that_are_swapped_or_renamed_over_count_as_changed() {
    let house = House::build().await;
    let home = house.home.path();
    for (folder, alias) in [("..2026_11_20", "one"), ("..2026_11_21", "two")] {
        fs::create_dir(home.join(folder)).unwrap();
        fs::write(home.join(folder).join("config.toml"), house.config(alias, "")).unwrap();
    }
    symlink("..2026_11_20", home.join("..data")).unwrap();
    symlink("..data/config.toml", house.file()).unwrap();
    let regpass = super::house::Running::of(crate::process::Daemon::start("regpass", house.command())).await;
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200");

    let mark = regpass.daemon.mark();
    symlink("..2026_11_21", home.join("..data_tmp")).unwrap();
    fs::rename(home.join("..data_tmp"), home.join("..data")).unwrap();
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(regpass.status("/v2/two/team/app/manifests/1").await, "200");

    let mark = regpass.daemon.mark();
    fs::write(home.join("config.toml~"), house.config("three", "")).unwrap();
    fs::rename(home.join("config.toml~"), house.file()).unwrap();
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(regpass.status("/v2/three/team/app/manifests/1").await, "200");
    house.sim.finish();
}

#[tokio::test]
async fn sighup_reads_again_whatever_changed() {
    let house = House::build().await;
    let regpass = house.start(&house.config("one", "")).await;
    let mark = regpass.daemon.mark();
    regpass.signal("HUP");
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200");
    house.sim.finish();
}

#[tokio::test]
async fn listeners_come_and_go_and_stay() {
    let house = House::build().await;
    let regpass = house.start(&house.config("one", "")).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = free.local_addr().unwrap();
    drop(free);
    let mark = regpass.daemon.mark();
    house.write(&house.config("one", &format!("[[listener]]\naddress = \"{second}\"\nregistry = \"house.test\"")));
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200", "the first stays where it was");
    assert_eq!(status_at(second, "/v2/team/app/manifests/1").await, "200", "the second is pinned");

    let mark = regpass.daemon.mark();
    house.write(&house.config("one", &format!("[[listener]]\naddress = \"{second}\"")));
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(status_at(second, "/v2/one/team/app/manifests/1").await, "200", "the same socket, no longer pinned");

    let mark = regpass.daemon.mark();
    house.write(&house.config("one", ""));
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(status_at(second, "/v2/").await, "000", "closed");
    assert_eq!(regpass.status("/v2/").await, "200");
    house.sim.finish();
}

#[tokio::test]
async fn a_download_finishes_though_its_listener_and_registry_are_gone() {
    let house = House::build().await;
    let blob = Blob::random(7, 256 << 10);
    house.registry.publish_blob("team/big", &blob);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = free.local_addr().unwrap();
    drop(free);
    let regpass = house.start(&house.config("one", &format!("[[listener]]\naddress = \"{second}\""))).await;
    house.registry.registry().inject(Fault::delay(Duration::from_secs(4)).path("/blobs/").times(1));
    let target = house.home.path().join("blob");
    let mut download = curl();
    download.args(["--fail", "--output"]).arg(&target);
    download.arg(format!("http://{second}/v2/one/team/big/blobs/{}", blob.digest));
    let downloading = tokio::spawn(async move { output(&mut download).await });
    while house.sim.ledger().count("registry", |entry| entry.path.contains("/blobs/")) == 0 {
        tokio::task::yield_now().await;
    }
    let mark = regpass.daemon.mark();
    house.write("[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n");
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(status_at(second, "/v2/").await, "000", "nobody new comes in there");
    downloading.await.unwrap();
    assert_eq!(fs::read(target).unwrap().len(), 256 << 10);
}

#[tokio::test]
async fn two_listeners_change_places() {
    let house = House::build().await;
    let free = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let [first, second] = free.map(|free| free.local_addr().unwrap());
    let config = |proxy: SocketAddr, admin: SocketAddr| {
        let at = |address: SocketAddr| format!("\"{address}\"");
        house.config("one", "").replacen("\"127.0.0.1:0\"", &at(proxy), 1).replacen("\"127.0.0.1:0\"", &at(admin), 1)
    };
    let regpass = house.start(&config(first, second)).await;
    assert_eq!((status_at(first, "/v2/").await, status_at(second, "/livez").await), ("200".into(), "200".into()));
    let mark = regpass.daemon.mark();
    house.write(&config(second, first));
    regpass.says(mark, IN_FORCE).await;
    assert_eq!(status_at(second, "/v2/one/team/app/manifests/1").await, "200");
    assert_eq!((status_at(first, "/livez").await, status_at(first, "/v2/").await), ("200".into(), "404".into()));
    house.sim.finish();
}
