//! `regpass health`: checks the health of the running proxy, at the addresses its configuration names.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::report;
use crate::AGENT;
use crate::config::model::{Config, Listener};
use crate::config::problem::Problem;
use crate::listen::address::ListenAddress;
use crate::net::tls::connect_unverified;
use crate::observe::log::LogFormat;
use crate::setup::mirrors::connect_address;

/// Prints the result in one line. Exit code 0 if regpass is healthy, 1 if it is not or cannot be reached.
pub(super) fn run(config: &Config, log: LogFormat, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(check(config)),
        Err(error) => Err(format!("cannot check the health: {error}")),
    };
    match outcome {
        Ok(healthy) => match writeln!(out, "{healthy}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(what) => {
            // When stderr is closed, only the exit code is left to report with.
            let _ = report::problem(err, log, &Problem { what, ..Problem::default() });
            ExitCode::FAILURE
        }
    }
}

async fn check(config: &Config) -> Result<String, String> {
    let outcome = timeout(LIMIT, check_listeners(config)).await;
    outcome.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())))
}

/// Asks the admin listener, because it reports readiness. An optional admin listener, which the configuration does not
/// name, may not be open, or another process may have its address: the first other listener is then asked instead.
async fn check_listeners(config: &Config) -> Result<String, String> {
    let admin = config.admin.as_ref().map(|admin| &admin.listener);
    if let Some((admin, target)) = admin.and_then(|admin| Some((admin, target(admin)?))) {
        let outcome = check_admin(&target).await;
        if outcome.is_ok() || !admin.optional {
            return outcome;
        }
    }
    match config.listeners.first().and_then(target) {
        Some(target) => check_proxy(&target).await,
        None => Err("the configuration has no fixed address to connect to; set `address` in [admin]".to_owned()),
    }
}

/// A listener to connect to.
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

/// The listener's target; `None` for port 0, where the configuration does not know the port.
fn target(listener: &Listener) -> Option<Target> {
    let address = match &listener.address {
        ListenAddress::Tcp(address) if address.port() == 0 => return None,
        ListenAddress::Tcp(address) => ListenAddress::Tcp(connect_address(*address)),
        unix @ ListenAddress::Unix(_) => unix.clone(),
    };
    Some(Target { address, tls: listener.tls.is_some() })
}

async fn check_admin(target: &Target) -> Result<String, String> {
    match status_of(target, "/readyz").await? {
        // A regpass too old to have /readyz has /livez.
        (url, 404) => match status_of(target, "/livez").await? {
            (url, 200) => Ok(format!("alive: {url} answers 200")),
            _ => Err(format!("{url} answers 404: another program than regpass listens on this address")),
        },
        (url, 200) => Ok(format!("ready: {url} answers 200")),
        (url, status) => Err(format!("not ready: {url} answers {status}")),
    }
}

/// A 401 is healthy as well: the listener requires client authentication and this request has none.
async fn check_proxy(target: &Target) -> Result<String, String> {
    match status_of(target, "/v2/").await? {
        (url, status @ (200 | 401)) => Ok(format!("serving: {url} answers {status}")),
        (url, status) => Err(format!("not serving: {url} answers {status}")),
    }
}

/// Connects, sends a GET, and returns its URL with the status code of the answer.
async fn status_of(target: &Target, path: &str) -> Result<(String, u16), String> {
    let url = format!("{target}{path}");
    let answer = match &target.address {
        ListenAddress::Tcp(address) => match TcpStream::connect(address).await {
            Ok(stream) => get(stream, target.tls, &address.to_string(), path).await,
            Err(error) => Err(error),
        },
        ListenAddress::Unix(file) => match UnixStream::connect(file).await {
            Ok(stream) => get(stream, target.tls, "localhost", path).await,
            Err(error) => Err(error),
        },
    };
    match answer {
        Ok(status) => Ok((url, status)),
        Err(error) => Err(format!("{url}: {error}")),
    }
}

async fn get<S: AsyncRead + AsyncWrite + Unpin>(stream: S, tls: bool, host: &str, path: &str) -> io::Result<u16> {
    if tls { status(connect_unverified(stream).await?, host, path).await } else { status(stream, host, path).await }
}

/// Sends a GET and returns the status code; reads only the first bytes of the answer.
async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str, path: &str) -> io::Result<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; "HTTP/1.1 200 ".len()];
    stream.read_exact(&mut line).await?;
    let text = line.strip_prefix(b"HTTP/1.").and_then(|rest| std::str::from_utf8(rest.get(2..5)?).ok());
    text.and_then(|status| status.parse().ok()).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

/// Time limit for the whole check.
const LIMIT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Variables;
    use crate::config::load::load;
    use crate::config::overrides::Overrides;

    /// A server that answers these paths with these statuses, and all others with 404.
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

    /// An address on which nothing listens.
    async fn closed_port() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    fn config(listen: SocketAddr, admin: Option<SocketAddr>) -> Config {
        let overrides = Overrides {
            listen: vec![listen.to_string()],
            admin: admin.map(|address| address.to_string()),
            ..Overrides::default()
        };
        // Without a file the configuration has an optional admin listener at a fixed port, which a test must not use.
        let mut config = load(&overrides, Variables::new(&|_| None)).unwrap();
        config.admin = config.admin.filter(|_| admin.is_some());
        config
    }

    #[tokio::test]
    async fn health_is_the_readiness_of_the_admin_listener() {
        for (paths, expected) in [
            (&[("/readyz", 200), ("/livez", 200)][..], Ok("ready: ")),
            (&[("/livez", 200)], Ok("alive: ")),
            (&[("/readyz", 503), ("/livez", 200)], Err("not ready: ")),
            (&[], Err("/readyz answers 404: another program")),
        ] {
            let outcome = check(&config(closed_port().await, Some(server(paths).await))).await;
            match (&outcome, expected) {
                (Ok(text), Ok(part)) | (Err(text), Err(part)) => assert!(text.contains(part), "{text}"),
                _ => panic!("{outcome:?} is not {expected:?}"),
            }
        }
    }

    #[tokio::test]
    async fn health_is_an_answer_of_the_first_listener_without_an_admin_listener() {
        for (status, healthy) in [(200, true), (401, true), (500, false)] {
            let paths = match status {
                200 => &[("/v2/", 200)],
                401 => &[("/v2/", 401)],
                _ => &[("/v2/", 500)],
            };
            let listener = server(paths).await;
            assert_eq!(check(&config(listener, None)).await.is_ok(), healthy, "{status}");
            let mut config = config(listener, Some(closed_port().await));
            assert!(check(&config).await.is_err(), "the admin listener is required");
            config.admin.as_mut().unwrap().listener.optional = true;
            assert_eq!(check(&config).await.is_ok(), healthy, "{status}: the admin listener is optional");
        }
    }

    #[tokio::test]
    async fn unspecified_address_is_checked_on_loopback() {
        let mut config = config(server(&[("/v2/", 200)]).await, None);
        let ListenAddress::Tcp(address) = &mut config.listeners[0].address else { panic!() };
        address.set_ip(std::net::Ipv4Addr::UNSPECIFIED.into());
        let healthy = check(&config).await.unwrap();
        assert!(healthy.starts_with("serving: http://127.0.0.1:"), "{healthy}");
    }

    #[tokio::test(start_paused = true)]
    async fn listener_that_does_not_answer_fails_the_check_after_three_seconds() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let start = tokio::time::Instant::now();
        let error = check(&config(silent.local_addr().unwrap(), None)).await.unwrap_err();
        assert!(error.contains("no answer within 3 s"), "{error}");
        assert_eq!(start.elapsed(), LIMIT);
    }
}
