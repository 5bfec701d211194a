//! A changed configuration takes effect within seconds and fails no request.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tokio::net::TcpListener;

use super::testbed::{MANIFEST, RELOADED, Testbed, free_address, status_at};

#[tokio::test]
async fn changed_file_takes_effect_within_seconds() {
    let testbed = Testbed::start().await;
    let regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    assert_eq!(regpass.status(MANIFEST).await, "200");
    testbed.sim.ledger().take();
    testbed.reload(&regpass, &testbed.config("two", "")).await;
    assert_eq!(regpass.status("/v2/two/team/app/manifests/1").await, "200");
    assert_ne!(regpass.status(MANIFEST).await, "200", "the old alias");
    assert!(regpass.admin_page("/metrics").await.contains("regpass_config_reloads_total{outcome=\"replaced\"} 1"));
    testbed.sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    testbed.sim.finish();
}

/// A kubelet changes a mounted `ConfigMap` by swapping a symlink; an editor saves by renaming over the file.
#[tokio::test]
async fn swapped_symlink_and_renamed_file_count_as_changes() {
    let testbed = Testbed::start().await;
    let home = testbed.home.path();
    for (folder, alias) in [("..2026_11_20", "one"), ("..2026_11_21", "two")] {
        fs::create_dir(home.join(folder)).unwrap();
        fs::write(home.join(folder).join("config.toml"), testbed.config(alias, "")).unwrap();
    }
    symlink("..2026_11_20", home.join("..data")).unwrap();
    symlink("..data/config.toml", testbed.config_file()).unwrap();
    let regpass = testbed.start_regpass_with_file().await;
    assert_eq!(regpass.status(MANIFEST).await, "200");

    symlink("..2026_11_21", home.join("..data_tmp")).unwrap();
    fs::write(home.join("config.toml~"), testbed.config("three", "")).unwrap();
    for (from, to, alias) in [("..data_tmp", "..data", "two"), ("config.toml~", "config.toml", "three")] {
        let skip = regpass.daemon.log_length();
        fs::rename(home.join(from), home.join(to)).unwrap();
        regpass.wait_for_log(skip, RELOADED).await;
        assert_eq!(regpass.status(&format!("/v2/{alias}/team/app/manifests/1")).await, "200", "{from} renamed to {to}");
    }
    testbed.sim.finish();
}

#[tokio::test]
async fn sighup_reloads_an_unchanged_configuration() {
    let testbed = Testbed::start().await;
    let regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    let skip = regpass.daemon.log_length();
    regpass.daemon.signal("HUP");
    regpass.wait_for_log(skip, RELOADED).await;
    assert_eq!(regpass.status(MANIFEST).await, "200");
    testbed.sim.finish();
}

#[tokio::test]
async fn listeners_are_opened_changed_and_closed_by_reloads() {
    let testbed = Testbed::start().await;
    let regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    let second = free_address().await;
    let listener = format!("[[listener]]\naddress = \"{second}\"");
    testbed.reload(&regpass, &testbed.config("one", &format!("{listener}\nregistry = \"sim.test\""))).await;
    assert_eq!(regpass.status(MANIFEST).await, "200", "the first listener keeps its address");
    assert_eq!(status_at(second, "/v2/team/app/manifests/1").await, "200", "the second listener is pinned");

    testbed.reload(&regpass, &testbed.config("one", &listener)).await;
    assert_eq!(status_at(second, MANIFEST).await, "200", "the second listener is no longer pinned");

    testbed.reload(&regpass, &testbed.config("one", "")).await;
    assert_eq!(status_at(second, "/v2/").await, "000", "the second listener is closed");
    assert_eq!(regpass.status("/v2/").await, "200");
    testbed.sim.finish();
}

#[tokio::test]
async fn download_finishes_after_its_listener_and_registry_are_removed() {
    let testbed = Testbed::start().await;
    let second = free_address().await;
    let config = testbed.config("one", &format!("[[listener]]\naddress = \"{second}\""));
    let regpass = testbed.start_regpass(&config).await;
    let download = testbed.start_slow_download(second, Duration::from_secs(4)).await;
    let config = "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n";
    testbed.reload(&regpass, config).await;
    assert_eq!(status_at(second, "/v2/").await, "000", "new connections to the removed listener");
    download.assert_completes().await;
}

#[tokio::test]
async fn listener_and_admin_listener_can_swap_their_addresses() {
    let testbed = Testbed::start().await;
    let sockets = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let [first, second] = sockets.map(|socket| socket.local_addr().unwrap());
    let config = |listener: SocketAddr, admin: SocketAddr| {
        let config = testbed.config("one", "");
        config.replacen("127.0.0.1:0", &listener.to_string(), 1).replacen("127.0.0.1:0", &admin.to_string(), 1)
    };
    let regpass = testbed.start_regpass(&config(first, second)).await;
    assert_eq!(status_at(first, "/v2/").await, "200");
    assert_eq!(status_at(second, "/livez").await, "200");
    testbed.reload(&regpass, &config(second, first)).await;
    assert_eq!(status_at(second, MANIFEST).await, "200");
    assert_eq!(status_at(first, "/livez").await, "200");
    assert_eq!(status_at(first, "/v2/").await, "404");
    testbed.sim.finish();
}
