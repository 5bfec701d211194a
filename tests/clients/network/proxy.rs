//! The proxy of a corporate network: CONNECT with a login, to names that nobody else knows.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// As it stands in a variable, with `%20` for the space.
pub(super) const LOGIN: &str = "me:open%20sesame";
/// What must not be seen anywhere: as it is written, as it is meant, as it is sent.
pub(super) const SECRETS: [&str; 3] = ["open%20sesame", "open sesame", "bWU6b3BlbiBzZXNhbWU"];

/// Serves until it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Leads those who log in from `name`, with whichever port, to `target`.
    pub(super) async fn start(name: &'static str, target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = asked.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = log.clone();
                tokio::spawn(async move { tunnel(stream, name, target, &log).await });
            }
        });
        Self { address, asked, accepting: accepting.abort_handle() }
    }

    /// For a variable, with the login.
    pub(super) fn url(&self) -> String {
        format!("http://{LOGIN}@{}", self.address)
    }

    /// Where it was asked to connect since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn tunnel(mut stream: TcpStream, name: &str, target: SocketAddr, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let wanted = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or("nothing").to_owned();
    log.lock().unwrap_or_else(PoisonError::into_inner).push(wanted.clone());
    let login = format!("proxy-authorization: Basic {}=", SECRETS[2]);
    let answer = if !head.lines().any(|line| line.eq_ignore_ascii_case(&login)) {
        "407 Proxy Authentication Required"
    } else if wanted.rsplit_once(':').is_some_and(|(host, _)| host == name) {
        let mut onward = TcpStream::connect(target).await?;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        return copy_bidirectional(&mut stream, &mut onward).await.map(drop);
    } else {
        "403 Forbidden"
    };
    stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
}
