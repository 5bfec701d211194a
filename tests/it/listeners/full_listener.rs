//! A listener with as many connections as it may have.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::connections::{Served, send_to_socket};
use super::{Files, TAGS, TAGS_REQUEST, get};

#[tokio::test]
async fn silent_and_slow_clients_do_not_keep_others_out() {
    let files = Files::new();
    let path = files.path("r.sock");
    let keys = format!("[[listener]]\naddress = \"unix:{}\"\nmax_connections = 16\n", path.display());
    let served = Served::start(&keys).await;
    let mut silent = Vec::new();
    for number in 0..40 {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        // Half of them have sent a part of a head.
        if number % 2 == 0 {
            stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: local").await.unwrap();
        }
        silent.push(stream);
    }
    assert_eq!(send_to_socket(&path, get(TAGS, None)).await.status, 200);
    served.sim.ledger().expect(&[TAGS_REQUEST]);
    let mut rest = Vec::new();
    // The first one sent its part of a head after this one had connected.
    _ = silent[1].read_to_end(&mut rest).await;
    assert_eq!(rest, b"", "the longest idle connection is closed");
    drop(silent);
    served.stop().await;
}
