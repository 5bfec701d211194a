//! The accept loop of one listening socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::connection::ListenerService;
use super::connections::Connections;
use super::log_throttle::LogThrottle;
use super::peer::Peer;
use super::shutdown::ShutdownSignal;
use super::socket::Socket;
use crate::net::stream::Stream;

/// Accepts and serves connections until `shutdown`, and returns when the last connection has ended. `open` has the
/// connections of the listener, which may have several sockets.
pub async fn serve(
    mut socket: Arc<Socket>,
    service: impl Into<ListenerService>,
    open: Arc<Connections>,
    shutdown: ShutdownSignal,
) {
    let service = service.into();
    let serve_connection = |(stream, peer), place| {
        let connection = service.clone().serve_accepted(stream, peer, place, shutdown.clone());
        async move {
            if let Err(error) = connection.await {
                debug!(%error, "a client connection ended with an error");
            }
        }
    };
    let mut connections = JoinSet::new();
    let mut stopped = shutdown.clone();
    let accept_errors = LogThrottle::per_minute(1);
    // Kept across turns of the loop, which may end the wait for a place.
    let mut waiting: Option<(Stream, Peer)> = None;
    loop {
        let accepting = async {
            if waiting.is_none() {
                waiting = Some(socket.accept().await?);
            }
            // While it waits, further connections stay in the kernel's backlog.
            let (_, peer) = waiting.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            Ok::<_, io::Error>(open.admit(peer).await)
        };
        let place = tokio::select! {
            () = stopped.wait() => break,
            Some(_) = connections.join_next() => continue,
            place = accepting => place,
        };
        match place.map(|place| (place, waiting.take())) {
            Ok((Some(place), Some(accepted))) => drop(connections.spawn(serve_connection(accepted, place))),
            Ok((_, refused)) => {
                let peer = refused.and_then(|(_, peer)| peer.address);
                debug!(?peer, "closed a connection: the listener is full, mostly of this client's connections");
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::ConnectionAborted {
                    debug!(%error, "a client closed its connection before it was accepted");
                } else if let Some(suppressed) = accept_errors.try_line() {
                    let untold = (suppressed > 0).then_some(suppressed);
                    warn!(%error, untold, "cannot accept connections; regpass keeps trying; if the limit of open files is too low, raise it");
                }
                // File descriptors may have run out: retrying at once would only spin.
                sleep(RETRY_DELAY).await;
            }
        }
    }
    if let Some(accepted) = waiting
        && let Some(place) = open.admit(&accepted.1).now_or_never().flatten()
    {
        connections.spawn(serve_connection(accepted, place));
    }
    // If no other accept loop uses this socket, closing it would reset the connections in its backlog: serve them
    // first.
    while let Some(socket) = Arc::get_mut(&mut socket)
        && let Ok(accepted) = socket.try_accept()
        && let Some(place) = open.admit(&accepted.1).now_or_never().flatten()
    {
        connections.spawn(serve_connection(accepted, place));
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

const RETRY_DELAY: Duration = Duration::from_millis(50);
