//! Opening connections: over TCP under a guard, or inside the process for tests with a paused clock.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower_service::Service;

use super::address::{Guard, written_out};
use super::direct::Direct;
use super::error::BoxError;
use super::proxies::Proxies;
use super::stall::WriteDeadline;
use super::stream::Stream;
use super::tunnel;
use crate::base::origin::Scheme;

/// How connections are made.
#[derive(Clone, Default)]
pub enum Network {
    #[default]
    Tcp,
    /// The same, through these proxies where they are to be used.
    Proxied(Arc<Proxies>),
    /// In-memory streams to `(host, port)`; real sockets never meet a paused clock.
    Memory(Arc<Connect>),
}

pub type Connect = dyn Fn(&str, u16) -> io::Result<DuplexStream> + Send + Sync;

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "Tcp",
            Self::Proxied(_) => "Proxied",
            Self::Memory(_) => "Memory",
        })
    }
}

/// The plain-text end of hyper's connector stack.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    network: Network,
    guard: Guard,
    /// How long a proxy is waited for.
    limit: Duration,
}

impl Dialer {
    pub(super) fn new(network: Network, guard: Guard, limit: Duration) -> Self {
        Self { network, guard, limit }
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<WriteDeadline<Stream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Network::Memory(connect) = &self.network {
            let stream = connect(uri.host().unwrap_or_default(), port_of(&uri));
            return Box::pin(async { Ok(watched(Stream::Memory(stream?))) });
        }
        // What speaks plain text beside this machine is nobody else's to see.
        if let (Network::Proxied(proxies), false) = (&self.network, matches!(self.guard, Guard::Beside))
            && let Some(proxy) = proxies.towards(&uri)
        {
            // Names are the proxy's to look up; what is written out is judged here.
            let address = written_out(bare_host(&uri));
            if let Some(Err(refused)) = address.map(|address| self.guard.permits(address)) {
                return Box::pin(async move { Err(refused.into()) });
            }
            // Begins here, and so ends before the deadline around it, which knows of no proxy.
            let tunnel = tunnel::through(proxies.clone(), proxy, uri, self.limit);
            let guard = self.guard.clone();
            return Box::pin(async move {
                let stream = tunnel.await?;
                address.inspect(|address| guard.reached(*address));
                Ok(watched(Stream::Tunnel(stream)))
            });
        }
        let connecting = Direct::guarded(self.guard.clone()).call(uri);
        Box::pin(async move { Ok(watched(Stream::Tcp(connecting.await?.into_inner()))) })
    }
}

/// The host, an IPv6 address without its brackets.
pub(super) fn bare_host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// The port that is written, or the scheme's.
pub(super) fn port_of(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(scheme_of(uri).default_port())
}

/// Whatever is not https is plain text.
pub(super) fn scheme_of(uri: &Uri) -> Scheme {
    if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http }
}

fn watched(stream: Stream) -> TokioIo<WriteDeadline<Stream>> {
    TokioIo::new(WriteDeadline::new(stream, STALL_LIMIT))
}

impl Connection for WriteDeadline<Stream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// How long an upstream may leave a body unread.
const STALL_LIMIT: Duration = Duration::from_secs(60);
