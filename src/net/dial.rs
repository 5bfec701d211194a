//! Opening connections: over TCP under a guard, or inside the process for tests with a paused clock.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower_service::Service;

use super::address::{AddressRefused, Guard};
use super::error::BoxError;
use super::proxies::Proxies;
use super::stall::WriteDeadline;
use super::stream::Stream;
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
    http: HttpConnector<GuardedResolver>,
    guard: Guard,
}

impl Dialer {
    pub(super) fn new(network: Network, guard: Guard) -> Self {
        let mut http =
            HttpConnector::new_with_resolver(GuardedResolver { resolver: GaiResolver::new(), guard: guard.clone() });
        http.enforce_http(false);
        http.set_nodelay(true);
        Self { network, http, guard }
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<WriteDeadline<Stream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Network::Memory(connect) = &self.network {
            let stream = connect(uri.host().unwrap_or_default(), port_of(&uri));
            return Box::pin(async { Ok(watched(Stream::Memory(stream?))) });
        }
        // The connector asks its resolver about names only; literals are judged here.
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if let Some(Err(refused)) = host.parse().ok().map(|literal| self.guard.permits(literal)) {
            return Box::pin(async move { Err(refused.into()) });
        }
        // What speaks plain text beside this machine is nobody else's to see.
        if let (Network::Proxied(proxies), false) = (&self.network, matches!(self.guard, Guard::Beside))
            && let Some(proxy) = proxies.towards(&uri)
        {
            let proxies = proxies.clone();
            return Box::pin(async move { Ok(watched(Stream::Tunnel(proxies.through(&proxy, uri).await?))) });
        }
        let guard = self.guard.clone();
        let connecting = self.http.call(uri);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            if let Ok(peer) = stream.peer_addr() {
                guard.reached(peer.ip());
            }
            Ok(watched(Stream::Tcp(stream)))
        })
    }
}

/// Resolves names with the system's resolver and lets only permitted addresses through.
#[derive(Clone, Debug)]
struct GuardedResolver {
    resolver: GaiResolver,
    guard: Guard,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.resolver.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.guard.clone();
        let resolving = self.resolver.call(name);
        Box::pin(async move {
            let mut refused: Option<AddressRefused> = None;
            let addresses: Vec<SocketAddr> = resolving
                .await
                .map_err(NameLookup)?
                .filter(|address| guard.permits(address.ip()).map_err(|why| refused = Some(why)).is_ok())
                .collect();
            match refused {
                Some(why) if addresses.is_empty() => Err(why.into()),
                _ => Ok(addresses.into_iter()),
            }
        })
    }
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

/// Marks a failed name lookup, which would otherwise be an `io::Error` like any other.
#[derive(Debug, thiserror::Error)]
#[error("its name cannot be resolved")]
pub(super) struct NameLookup(#[source] io::Error);

impl Connection for WriteDeadline<Stream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// How long an upstream may leave a body unread.
const STALL_LIMIT: Duration = Duration::from_secs(60);
