//! The proxy of a corporate network: it requires a credential and resolves a host name that no resolver knows.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The credential as written in an environment variable, with `%20` for the space.
pub(super) const CREDENTIAL: &str = "me:open%20sesame";
/// The password as written, decoded, and as sent in base64. None of these may appear in any output.
pub(super) const PASSWORD_FORMS: [&str; 3] = ["open%20sesame", "open sesame", "bWU6b3BlbiBzZXNhbWU"];

/// A running proxy. It stops when dropped.
#[derive(Debug)]
pub(super) struct ConnectProxy {
    pub(super) address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
    accept_task: AbortHandle,
}

impl ConnectProxy {
    /// Starts a proxy that tunnels clients with the credential from `host`, at any port, to `address`, and denies other hosts.
    pub(super) async fn start(host: &'static str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own_address = listener.local_addr().expect("a bound address");
        let targets = Arc::<Mutex<Vec<String>>>::default();
        let log = targets.clone();
        let accept_task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = log.clone();
                tokio::spawn(async move { tunnel(stream, host, address, &log).await });
            }
        });
        Self { address: own_address, targets, accept_task: accept_task.abort_handle() }
    }

    /// The proxy's URL with the credential, for an environment variable.
    pub(super) fn url(&self) -> String {
        format!("http://{CREDENTIAL}@{}", self.address)
    }

    /// Takes the targets of the CONNECT requests received since the last call.
    pub(super) fn take_targets(&self) -> Vec<String> {
        std::mem::take(&mut self.targets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.accept_task.abort();
    }
}

async fn tunnel(mut stream: TcpStream, host: &str, address: SocketAddr, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or("nothing").to_owned();
    log.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
    let credential = format!("proxy-authorization: Basic {}=", PASSWORD_FORMS[2]);
    let status = if !head.lines().any(|line| line.eq_ignore_ascii_case(&credential)) {
        "407 Proxy Authentication Required"
    } else if target.rsplit_once(':').is_some_and(|(name, _)| name == host) {
        let mut upstream = TcpStream::connect(address).await?;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        return copy_bidirectional(&mut stream, &mut upstream).await.map(drop);
    } else {
        "403 Forbidden"
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
}
