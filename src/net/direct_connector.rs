//! TCP connections to the addresses of a name, as far as an [`AddressPolicy`] permits.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;
use tracing::debug;

use super::address_policy::{AddressPolicy, AddressRejected};
use super::cause::{BoxError, NameLookup};
use super::happy_eyeballs;
use super::uri::{bare_host, port_of};

/// A connector for TCP without a proxy. Without a policy it connects to any address.
#[derive(Clone, Debug, Default)]
pub(super) struct DirectConnector {
    policy: Option<AddressPolicy>,
}

impl DirectConnector {
    pub(super) fn with_policy(policy: AddressPolicy) -> Self {
        Self { policy: Some(policy) }
    }

    async fn connect(self, host: &str, port: u16) -> Result<TcpStream, BoxError> {
        let addresses = self.permitted(lookup_host((host, port)).await.map_err(NameLookup)?)?;
        let stream = happy_eyeballs::connect(addresses, TcpStream::connect).await?;
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        Ok(stream)
    }

    /// The addresses that the policy permits. An error if there are addresses but none is permitted.
    fn permitted(&self, resolved: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, AddressRejected> {
        let Some(policy) = &self.policy else { return Ok(resolved.collect()) };
        let mut rejection = None;
        let is_permitted =
            |address: &SocketAddr| policy.check(address.ip()).map_err(|rejected| rejection = Some(rejected)).is_ok();
        let addresses: Vec<SocketAddr> = resolved.filter(is_permitted).collect();
        match rejection {
            Some(rejected) if addresses.is_empty() => Err(rejected),
            _ => Ok(addresses),
        }
    }
}

impl Service<Uri> for DirectConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(bare_host(&uri), port_of(&uri)).await.map(TokioIo::new) })
    }
}
