//! TCP to wherever a name leads, as far as a guard permits.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;
use tracing::debug;

use super::address::{AddressRefused, Guard};
use super::dial::{bare_host, port_of};
use super::error::BoxError;
use super::race;

#[derive(Clone, Debug, Default)]
pub(super) struct Direct {
    guard: Option<Guard>,
}

impl Direct {
    pub(super) fn guarded(guard: Guard) -> Self {
        Self { guard: Some(guard) }
    }

    async fn connect(self, host: &str, port: u16) -> Result<TcpStream, BoxError> {
        let addresses = self.permitted(lookup_host((host, port)).await.map_err(NameLookup)?)?;
        let stream = race::first(addresses, TcpStream::connect).await?;
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "cannot set TCP_NODELAY");
        }
        if let (Some(guard), Ok(peer)) = (&self.guard, stream.peer_addr()) {
            guard.reached(peer.ip());
        }
        Ok(stream)
    }

    /// A name that leads to several places is good for those that may be dialled.
    fn permitted(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, AddressRefused> {
        let Some(guard) = &self.guard else { return Ok(found.collect()) };
        let mut refused = None;
        let is_permitted =
            |address: &SocketAddr| guard.permits(address.ip()).map_err(|why| refused = Some(why)).is_ok();
        let addresses: Vec<SocketAddr> = found.filter(is_permitted).collect();
        match refused {
            Some(why) if addresses.is_empty() => Err(why),
            _ => Ok(addresses),
        }
    }
}

impl Service<Uri> for Direct {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let direct = self.clone();
        Box::pin(async move { direct.connect(bare_host(&uri), port_of(&uri)).await.map(TokioIo::new) })
    }
}

/// Marks a failed name lookup, which would otherwise be an `io::Error` like any other.
#[derive(Debug, thiserror::Error)]
#[error("its name cannot be resolved")]
pub(super) struct NameLookup(#[source] io::Error);
