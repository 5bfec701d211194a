//! podman updates an image whose layers are in the format zstd:chunked: it requests the changed parts of a layer only, as
//! several ranges in one request.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::root::command;
use crate::process::output;
use crate::registry::Registry;
use crate::regpass::Regpass;

/// Two versions of an image with one layer of 50 files of a megabyte. Every tenth file differs.
const PUSH: &str = "mkdir -p context && for file in $(seq 50); do head -c 1000000 /dev/urandom >context/$file; done
    printf 'FROM scratch\\nCOPY context /data\\n' >Dockerfile
    podman build -q -t $REGISTRY/team/app:1 .
    for file in $(seq 1 10 50); do head -c 1000000 /dev/urandom >context/$file; done
    podman build -q -t $REGISTRY/team/app:2 .
    for tag in 1 2; do podman push -q --compression-format=zstd:chunked $REGISTRY/team/app:$tag; done";

/// Partial pulls need a storage driver that can apply differences.
const PREPARATION: &str = "cd \"$HOME\"
    mkdir -p /etc/containers/registries.conf.d
    printf '[[registry]]\\nlocation = \"%s\"\\ninsecure = true\\n' $REGISTRY >/etc/containers/registries.conf.d/http.conf
    cat >/etc/containers/storage.conf <<END
[storage]
driver = \"overlay\"
runroot = \"$HOME/$STORAGE-run\"
graphroot = \"$HOME/$STORAGE\"
[storage.options]
pull_options = { enable_partial_images = \"true\" }
END
    podman() { command podman --events-backend=none \"$@\"; }
    ";

#[tokio::test]
async fn update_of_a_tenth_of_a_layer_transfers_no_more_than_directly() {
    let home = tempfile::tempdir().expect("a directory for podman");
    let registry = Registry::start_open_with_http(&json!({ "addr": "127.0.0.1:0" })).await;
    let regpass = Regpass::start(&format!(
        "default_registry = \"registry.test\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n[registry.\"registry.test\"]\n\
         url = \"http://{}\"\n",
        registry.address
    ))
    .await;
    podman(home.path(), registry.address, "build", PUSH).await;

    let direct = update(home.path(), registry.address, "direct").await;
    let through = update(home.path(), regpass.address, "through").await;
    assert!((5_000_000..7_000_000).contains(&direct), "podman pulled more than what changed: {direct} bytes");
    assert!(through * 10 <= direct * 11, "{through} bytes through regpass, {direct} directly");
}

/// Pulls the first version and then the second one from `server`. Returns how many bytes the second pull received.
async fn update(home: &Path, server: SocketAddr, storage: &str) -> u64 {
    let meter = Meter::start(server).await;
    podman(home, meter.address, storage, "podman pull -q $REGISTRY/team/app:1").await;
    let before = meter.received();
    podman(home, meter.address, storage, "podman pull -q $REGISTRY/team/app:2").await;
    meter.received() - before
}

async fn podman(home: &Path, registry: SocketAddr, storage: &str, script: &str) {
    let mut shell = command("sh", home);
    shell.args(["-eu", "-c", &format!("{PREPARATION}{script}")]);
    shell.env("REGISTRY", format!("localhost:{}", registry.port())).env("STORAGE", storage);
    output(&mut shell).await;
}

/// Forwards connections to a server and counts the bytes that clients receive.
struct Meter {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    accepting: AbortHandle,
}

impl Meter {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let received = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&received);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) =
                        TcpStream::connect(server).await.expect("the server").into_split();
                    // A client that closes its connection is no failure.
                    tokio::join!(async { tokio::io::copy(&mut from_client, &mut to_server).await.ok() }, async {
                        let mut buffer = vec![0; 64 << 10];
                        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                            count.fetch_add(length as u64, Ordering::Relaxed);
                            if to_client.write_all(&buffer[..length]).await.is_err() {
                                break;
                            }
                        }
                    });
                });
            }
        })
        .abort_handle();
        Self { address, received, accepting }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
