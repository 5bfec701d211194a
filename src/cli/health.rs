//! `regpass health`: asks the regpass that runs by this configuration whether it is well.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::report;
use crate::AGENT;
use crate::config::model::{Config, Listener};
use crate::config::problem::Problem;
use crate::net::socket::ListenAddress;
use crate::net::tls::without_proof;
use crate::observe::log::LogFormat;
use crate::setup::view::reachable;

/// Tells in one line how it is.
pub(super) fn run(config: &Config, log: LogFormat, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let verdict = match runtime {
        Ok(runtime) => runtime.block_on(timely(config)),
        Err(error) => Err(format!("cannot ask: {error}")),
    };
    match verdict {
        Ok(well) => match writeln!(out, "{well}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(what) => {
            // The exit code says it, too.
            let _ = report::problem(err, log, &Problem { what, ..Problem::default() });
            ExitCode::FAILURE
        }
    }
}

async fn timely(config: &Config) -> Result<String, String> {
    let verdict = timeout(PATIENCE, verdict(config)).await;
    verdict.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

/// The admin listener knows best. One that nobody asked for may be missing, or be another process's.
async fn verdict(config: &Config) -> Result<String, String> {
    let admin = config.admin.as_ref().map(|admin| &admin.listener);
    if let Some((admin, target)) = admin.and_then(|admin| Some((admin, target(admin)?))) {
        let told = admin_verdict(&target).await;
        if told.is_ok() || !admin.optional {
            return told;
        }
    }
    match config.listeners.first().and_then(target) {
        Some(target) => listener_verdict(&target).await,
        None => Err("the configuration names no fixed address to ask; give the admin listener one".to_owned()),
    }
}

/// Where a listener is asked, and whether by TLS.
#[derive(Clone, Debug)]
struct Target {
    address: ListenAddress,
    tls: bool,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            ListenAddress::Tcp(address) => write!(f, "{}://{address}", if self.tls { "https" } else { "http" }),
            ListenAddress::Unix(_) => self.address.fmt(f),
        }
    }
}

/// `None` where the configuration does not tell.
fn target(listener: &Listener) -> Option<Target> {
    let address = match &listener.address {
        ListenAddress::Tcp(address) if address.port() == 0 => return None,
        ListenAddress::Tcp(address) => ListenAddress::Tcp(reachable(*address)),
        unix @ ListenAddress::Unix(_) => unix.clone(),
    };
    Some(Target { address, tls: listener.tls.is_some() })
}

async fn admin_verdict(target: &Target) -> Result<String, String> {
    match ask(target, "/readyz").await? {
        // It is older than its question.
        (url, 404) => match ask(target, "/livez").await? {
            (url, 200) => Ok(format!("alive: {url} answers 200")),
            _ => Err(format!("{url} answers 404: something else than regpass has this address")),
        },
        (url, 200) => Ok(format!("ready: {url} answers 200")),
        (url, status) => Err(format!("not ready: {url} answers {status}")),
    }
}

/// A listener that wants to know its clients is well when it says so.
async fn listener_verdict(target: &Target) -> Result<String, String> {
    match ask(target, "/v2/").await? {
        (url, status @ (200 | 401)) => Ok(format!("serving: {url} answers {status}")),
        (url, status) => Err(format!("not serving: {url} answers {status}")),
    }
}

/// The status of a GET, and its URL.
async fn ask(target: &Target, path: &str) -> Result<(String, u16), String> {
    let url = format!("{target}{path}");
    let answer = match &target.address {
        ListenAddress::Tcp(address) => ask_tcp(*address, target.tls, path).await,
        ListenAddress::Unix(file) => ask_unix(file, target.tls, path).await,
    };
    match answer {
        Ok(status) => Ok((url, status)),
        Err(error) => Err(format!("{url}: {error}")),
    }
}

async fn ask_tcp(address: SocketAddr, tls: bool, path: &str) -> io::Result<u16> {
    let stream = TcpStream::connect(address).await?;
    let host = address.to_string();
    if tls { status(without_proof(stream).await?, &host, path).await } else { status(stream, &host, path).await }
}

async fn ask_unix(file: &Path, tls: bool, path: &str) -> io::Result<u16> {
    let stream = UnixStream::connect(file).await?;
    if tls {
        status(without_proof(stream).await?, "localhost", path).await
    } else {
        status(stream, "localhost", path).await
    }
}

/// Sends a request over any kind of connection and reads no more than the first line of its answer.
async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str, path: &str) -> io::Result<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; "HTTP/1.1 200 ".len()];
    stream.read_exact(&mut line).await?;
    let text = line.strip_prefix(b"HTTP/1.").and_then(|rest| std::str::from_utf8(rest.get(2..5)?).ok());
    text.and_then(|status| status.parse().ok()).ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Variables;
    use crate::config::load::load;
    use crate::config::overrides::Overrides;

    /// A server with these paths; 404 for the others.
    async fn server(paths: &'static [(&'static str, u16)]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let path = line.split(' ').nth(1).unwrap();
                let status = paths.iter().find(|(known, _)| *known == path).map_or(404, |(_, status)| *status);
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    /// A port where nobody listens.
    async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    fn config(listen: SocketAddr, admin: Option<SocketAddr>) -> Config {
        let overrides = Overrides {
            listen: vec![listen.to_string()],
            admin: admin.map(|address| address.to_string()),
            ..Overrides::default()
        };
        // Without a file there is an admin listener that nobody asked for; it has a port that a test must not ask.
        let mut config = load(&overrides, Variables::new(&|_| None)).unwrap();
        config.admin = config.admin.filter(|_| admin.is_some());
        config
    }

    #[tokio::test]
    async fn the_admin_listener_says_how_it_is() {
        for (paths, expected) in [
            (&[("/readyz", 200), ("/livez", 200)][..], Ok("ready: ")),
            (&[("/livez", 200)], Ok("alive: ")),
            (&[("/readyz", 503), ("/livez", 200)], Err("not ready: ")),
            (&[], Err("/readyz answers 404: something else")),
        ] {
            let verdict = timely(&config(nobody().await, Some(server(paths).await))).await;
            match (&verdict, expected) {
                (Ok(told), Ok(words)) | (Err(told), Err(words)) => assert!(told.contains(words), "{told}"),
                _ => panic!("{verdict:?} is not {expected:?}"),
            }
        }
    }

    #[tokio::test]
    async fn without_an_admin_listener_the_first_listener_says_it() {
        for (status, well) in [(200, true), (401, true), (500, false)] {
            let paths = match status {
                200 => &[("/v2/", 200)],
                401 => &[("/v2/", 401)],
                _ => &[("/v2/", 500)],
            };
            let listener = server(paths).await;
            assert_eq!(timely(&config(listener, None)).await.is_ok(), well, "{status}");
            let mut config = config(listener, Some(nobody().await));
            assert!(timely(&config).await.is_err(), "the admin listener is wanted");
            config.admin.as_mut().unwrap().listener.optional = true;
            assert_eq!(timely(&config).await.is_ok(), well, "{status}: the admin listener is not wanted");
        }
    }

    #[tokio::test]
    async fn an_address_of_all_interfaces_is_asked_by_loopback() {
        let mut config = config(server(&[("/v2/", 200)]).await, None);
        let ListenAddress::Tcp(address) = &mut config.listeners[0].address else { panic!() };
        address.set_ip(std::net::Ipv4Addr::UNSPECIFIED.into());
        let told = timely(&config).await.unwrap();
        assert!(told.starts_with("serving: http://127.0.0.1:"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_three_seconds() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let begun = tokio::time::Instant::now();
        let told = timely(&config(silent.local_addr().unwrap(), None)).await.unwrap_err();
        assert!(told.contains("no answer within 3 s"), "{told}");
        assert_eq!(begun.elapsed(), PATIENCE);
    }
}
