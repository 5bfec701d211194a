//! Addresses that are taken, by others or by the listener before.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::house::{House, status_at};
use super::told;

const IN_FORCE: &str = "the new configuration is in force";
/// Enough for somebody to be connecting at any moment.
const CLIENTS: usize = 16;

#[tokio::test]
async fn a_taken_address_is_tried_again_until_it_is_free() {
    let house = House::build().await;
    let regpass = house.start(&house.config("one", "")).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mark = regpass.daemon.mark();
    house.write(&house.config("two", &format!("[[listener]]\naddress = \"{address}\"")));
    told::everywhere(&regpass, mark, "taken", "", &["cannot listen", &address.to_string()]).await;
    assert_eq!(regpass.status("/v2/one/team/app/manifests/1").await, "200", "the old one is in force");

    let mark = regpass.daemon.mark();
    let told_again = regpass.daemon.line_after(mark, |line| line.contains("cannot listen").then_some(()));
    // Twice as long as from one attempt to the next.
    tokio::time::timeout(Duration::from_secs(7), told_again).await.expect_err("told once");
    drop(taken);
    regpass.says(mark, IN_FORCE).await;
    told::nowhere(&regpass, "free").await;
    assert_eq!(status_at(address, "/v2/two/team/app/manifests/1").await, "200");
    let metrics = regpass.admin_page("/metrics").await;
    for (outcome, count) in [("refused", 1), ("replaced", 1)] {
        let metric = format!("regpass_config_reloads_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&metric), "{metric} in {metrics}");
    }
    house.sim.finish();
}

/// The listener at this address, wherever its `127.0.0.1` is.
fn listener(house: &House, ip: &str, port: u16) -> String {
    let own = format!("address = \"{ip}:{port}\"\ninsecure_open = {}", ip != "127.0.0.1");
    house.config("one", "").replacen("address = \"127.0.0.1:0\"", &own, 1)
}

async fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").await.expect("a socket").local_addr().expect("its address").port()
}

/// The answer to one request on a connection of its own.
async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_opened_to_all_addresses_and_closed_again_turns_nobody_away() {
    let house = House::build().await;
    let port = free_port().await;
    let (here, elsewhere): (SocketAddr, SocketAddr) = (([127, 0, 0, 1], port).into(), ([127, 0, 0, 2], port).into());
    house.write(&listener(&house, "0.0.0.0", port));
    let regpass = super::house::Running::of(crate::process::Daemon::start("regpass", house.command())).await;

    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = || {
        let (over, served) = (over.clone(), served.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let answer = ask(here).await.unwrap_or_else(|error| panic!("turned away: {error}"));
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
    let has_ipv6 = TcpListener::bind("[::]:0").await.is_ok();
    let steps = ["127.0.0.1", "0.0.0.0", "127.0.0.1", "[::]", "0.0.0.0", "[::]", "127.0.0.1", "0.0.0.0"];
    for ip in steps.into_iter().filter(|ip| has_ipv6 || *ip != "[::]") {
        let mark = regpass.daemon.mark();
        let before = served.load(Ordering::Relaxed);
        house.write(&listener(&house, ip, port));
        regpass.says(mark, IN_FORCE).await;
        let expected = if ip == "127.0.0.1" { "000" } else { "200" };
        assert_eq!(status_at(elsewhere, "/v2/").await, expected, "{ip}");
        while served.load(Ordering::Relaxed) < before + CLIENTS {
            assert!(clients.iter().all(|client| !client.is_finished()), "{ip}: a client was turned away");
            tokio::task::yield_now().await;
        }
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client was turned away");
    }
    house.sim.finish();
}

/// Somebody else has the port at another address of this machine: nothing is lost, and it is taken when it is free.
#[tokio::test]
async fn where_somebody_else_is_in_the_way_as_well_the_listener_stays_as_it_is() {
    let house = House::build().await;
    let port = free_port().await;
    let other = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let regpass = house.start(&listener(&house, "127.0.0.1", port)).await;
    let mark = regpass.daemon.mark();
    house.write(&listener(&house, "0.0.0.0", port));
    told::everywhere(&regpass, mark, "in the way", "", &["cannot listen", &format!("0.0.0.0:{port}")]).await;
    assert_eq!(regpass.status("/v2/").await, "200");
    drop(other);
    regpass.says(mark, IN_FORCE).await;
    let elsewhere = SocketAddr::from(([127, 0, 0, 3], port));
    assert_eq!((regpass.status("/v2/").await, status_at(elsewhere, "/v2/").await), ("200".into(), "200".into()));
    told::nowhere(&regpass, "free").await;
    house.sim.finish();
}
