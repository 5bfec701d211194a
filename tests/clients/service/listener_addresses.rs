//! Listener addresses that are in use, by another program or by the listener's own previous socket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client_load::ClientLoad;
use super::problem_reports;
use super::testbed::{MANIFEST, RELOADED, Testbed, free_address, status_at};

/// So many clients that at every moment one of them is connecting.
const CLIENTS: usize = 16;

#[tokio::test]
async fn address_in_use_is_retried_until_it_is_free() {
    let testbed = Testbed::start().await;
    let regpass = testbed.start_regpass(&testbed.config("one", "")).await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    let skip = regpass.daemon.log_length();
    testbed.write_config(&testbed.config("two", &format!("[[listener]]\naddress = \"{address}\"")));
    let words = ["cannot listen", &address.to_string()];
    problem_reports::assert_shown(&regpass, skip, "address in use", "", &words).await;
    assert_eq!(regpass.status(MANIFEST).await, "200", "the old configuration is active");

    let skip = regpass.daemon.log_length();
    let second_report = regpass.daemon.wait_for_text_after(skip, "cannot listen");
    // More than twice the 3 s between two attempts to listen.
    tokio::time::timeout(Duration::from_secs(7), second_report).await.expect_err("reported only once");
    drop(other);
    regpass.wait_for_log(skip, RELOADED).await;
    problem_reports::assert_cleared(&regpass, "address free").await;
    assert_eq!(status_at(address, "/v2/two/team/app/manifests/1").await, "200");
    let metrics = regpass.admin_page("/metrics").await;
    for (outcome, count) in [("refused", 1), ("replaced", 1)] {
        let metric = format!("regpass_config_reloads_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&metric), "{metric} in {metrics}");
    }
    testbed.sim.finish();
}

/// A configuration whose first listener is at this address. All addresses but 127.0.0.1 need `insecure_open`.
fn config_with_address(testbed: &Testbed, ip: &str, port: u16) -> String {
    let address = format!("address = \"{ip}:{port}\"\ninsecure_open = {}", ip != "127.0.0.1");
    testbed.config("one", "").replacen("address = \"127.0.0.1:0\"", &address, 1)
}

/// The response to one request on a new connection.
async fn ping(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_between_loopback_and_all_addresses_fails_no_request() {
    let testbed = Testbed::start().await;
    let loopback = free_address().await;
    let (port, other_address) = (loopback.port(), SocketAddr::from(([127, 0, 0, 2], loopback.port())));
    let regpass = testbed.start_regpass(&config_with_address(&testbed, "0.0.0.0", port)).await;
    let load = ClientLoad::start(CLIENTS, move || async move {
        let response = ping(loopback).await.unwrap_or_else(|error| panic!("the connection failed: {error}"));
        assert!(response.starts_with("HTTP/1.1 200"), "{response:?}");
    });
    let has_ipv6 = TcpListener::bind("[::]:0").await.is_ok();
    let steps = ["127.0.0.1", "0.0.0.0", "127.0.0.1", "[::]", "0.0.0.0", "[::]", "127.0.0.1", "0.0.0.0"];
    for ip in steps.into_iter().filter(|ip| has_ipv6 || *ip != "[::]") {
        let before = load.served();
        testbed.reload(&regpass, &config_with_address(&testbed, ip, port)).await;
        let expected = if ip == "127.0.0.1" { "000" } else { "200" };
        assert_eq!(status_at(other_address, "/v2/").await, expected, "{ip}");
        load.wait_for_requests_after(before, ip).await;
    }
    load.finish().await;
    testbed.sim.finish();
}

/// Another program listens on the same port at another address of this machine, so that 0.0.0.0 is not free.
#[tokio::test]
async fn listener_keeps_its_address_while_another_program_blocks_the_new_one() {
    let testbed = Testbed::start().await;
    let port = free_address().await.port();
    let other = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let regpass = testbed.start_regpass(&config_with_address(&testbed, "127.0.0.1", port)).await;
    let skip = regpass.daemon.log_length();
    testbed.write_config(&config_with_address(&testbed, "0.0.0.0", port));
    let words = ["cannot listen", &format!("0.0.0.0:{port}")];
    problem_reports::assert_shown(&regpass, skip, "address blocked", "", &words).await;
    assert_eq!(regpass.status("/v2/").await, "200", "at the old address");
    drop(other);
    regpass.wait_for_log(skip, RELOADED).await;
    assert_eq!(regpass.status("/v2/").await, "200", "at the old address after the change");
    assert_eq!(status_at(SocketAddr::from(([127, 0, 0, 3], port)), "/v2/").await, "200", "at a new address");
    problem_reports::assert_cleared(&regpass, "address free").await;
    testbed.sim.finish();
}
