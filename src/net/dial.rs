//! Opening connections: over TCP, through a proxy, or in memory for tests with a paused clock.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower_service::Service;

use super::address_policy::AddressPolicy;
use super::cause::BoxError;
use super::direct_connector::DirectConnector;
use super::ip_literal::parse_ip_literal;
use super::proxies::Proxies;
use super::stream::Stream;
use super::tunnel;
use super::uri::{bare_host, port_of};
use super::write_timeout::WriteTimeout;

/// The way to other hosts: direct TCP, proxies, or in-memory streams.
#[derive(Clone, Default)]
pub enum Network {
    #[default]
    Tcp,
    /// TCP, through a proxy to the hosts for which [`Proxies`] chooses one.
    Proxied(Arc<Proxies>),
    /// In-memory streams to `(host, port)`, for tests: real sockets do not work with a paused clock.
    Memory(Arc<Connect>),
}

/// Opens an in-memory stream to a host and port.
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

/// The innermost connector: opens the stream over which TLS or plain HTTP runs.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    network: Network,
    policy: AddressPolicy,
    /// Timeout for connecting through a proxy, as long as the connect timeout.
    proxy_timeout: Duration,
}

impl Dialer {
    pub(super) fn new(network: Network, policy: AddressPolicy, proxy_timeout: Duration) -> Self {
        Self { network, policy, proxy_timeout }
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<WriteTimeout<Stream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Network::Memory(connect) = &self.network {
            let stream = connect(uri.host().unwrap_or_default(), port_of(&uri));
            return Box::pin(async { Ok(with_write_timeout(Stream::Memory(stream?))) });
        }
        // A local credential service is never reached through a proxy: its responses are not encrypted.
        if let (Network::Proxied(proxies), false) = (&self.network, matches!(self.policy, AddressPolicy::LocalOnly))
            && let Some(proxy) = proxies.proxy_for(&uri)
        {
            // The proxy resolves names, so the policy can be checked only for an IP literal.
            let literal = parse_ip_literal(bare_host(&uri));
            if let Some(Err(rejected)) = literal.map(|address| self.policy.check(address)) {
                return Box::pin(async move { Err(rejected.into()) });
            }
            // The tunnel's timeout starts just before the connect timeout around it, which is as long. So it expires
            // first, and its error names the proxy.
            let tunnel = tunnel::open(proxies.clone(), proxy, uri, self.proxy_timeout);
            return Box::pin(async move {
                Ok(with_write_timeout(Stream::Tunnel { stream: tunnel.await?, target: literal }))
            });
        }
        let connecting = DirectConnector::with_policy(self.policy.clone()).call(uri);
        Box::pin(async move { Ok(with_write_timeout(Stream::Tcp(connecting.await?.into_inner()))) })
    }
}

fn with_write_timeout(stream: Stream) -> TokioIo<WriteTimeout<Stream>> {
    TokioIo::new(WriteTimeout::new(stream, WRITE_TIMEOUT))
}

impl Connection for WriteTimeout<Stream> {
    fn connected(&self) -> Connected {
        match self.stream().peer_address() {
            Some(address) => Connected::new().extra(PeerAddress(address)),
            None => Connected::new(),
        }
    }
}

/// The IP address from which a response came, as far as it is known: an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// How long an upstream may leave sent data unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
