//! Where `[registry."*"]` is configured, clients can name any number of hosts: memory and status stay small.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::testbed::Testbed;
use crate::push::memory::peak_memory;

const HOSTS: u32 = 10_000;
/// In KiB.
const MAX_GROWTH: u64 = 20 * 1024;
/// In bytes.
const MAX_STATUS: usize = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_unknown_hosts_need_less_than_20_mebibytes() {
    let testbed = Testbed::start().await;
    let config = format!("{}[registry.\"*\"]\n", testbed.config("one", ""));
    let regpass = testbed.start_regpass(&config).await;
    let stream = TcpStream::connect(regpass.address).await.expect("regpass accepts");
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.expect("HTTP");
    let connection = tokio::spawn(connection);
    // These addresses are private, so that regpass connects to none of them.
    let mut status_of = async |host: u32| {
        let [_, a, b, c] = host.to_be_bytes();
        let request = Request::get(format!("/v2/10.{a}.{b}.{c}:5000/team/app/manifests/1")).header("host", "localhost");
        let request = request.body(Empty::new()).expect("a request");
        sender.ready().await.expect("an open connection");
        let response = sender.send_request(request).await.expect("a response");
        let status = response.status().as_u16();
        response.into_body().collect().await.expect("a whole body");
        status
    };
    assert_eq!(status_of(0).await, 502, "a private address");
    let before = peak_memory(regpass.daemon.pid());
    for host in 1..=HOSTS {
        assert_eq!(status_of(host).await, 502, "{host}");
    }
    let growth = peak_memory(regpass.daemon.pid()) - before;
    assert!(growth < MAX_GROWTH, "{growth} KiB");

    let page = regpass.admin_page("/status.json").await;
    assert!(page.len() < MAX_STATUS, "{} bytes", page.len());
    let status: Value = serde_json::from_str(&page).expect("JSON");
    let listed: Vec<&str> =
        status["registries"].as_array().expect("a list").iter().filter_map(|one| one["host"].as_str()).collect();
    assert!(listed.contains(&"10.0.39.16:5000") && !listed.contains(&"10.0.35.16:5000"), "the last ones: {listed:?}");
    assert!(listed.contains(&"sim.test"), "the configured one: {listed:?}");
    assert!(status["registries_left_out"].as_u64() > Some(200), "{}", status["registries_left_out"]);
    connection.abort();
    testbed.sim.finish();
}
