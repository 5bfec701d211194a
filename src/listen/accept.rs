//! The accept loop of one listening socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::connection::ListenerService;
use super::log_throttle::LogThrottle;
use super::shutdown::ShutdownSignal;
use super::socket::Socket;

/// Accepts and serves connections until `shutdown`, and returns when the last connection has ended.
pub async fn serve(mut socket: Arc<Socket>, service: impl Into<ListenerService>, shutdown: ShutdownSignal) {
    let service = service.into();
    let serve_connection = |permit, (stream, peer)| {
        let connection = service.clone().serve_connection(stream, peer, shutdown.clone());
        async move {
            if let Err(error) = connection.await {
                debug!(%error, "a client connection ended with an error");
            }
            drop::<OwnedSemaphorePermit>(permit);
        }
    };
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stopped = shutdown.clone();
    let accept_errors = LogThrottle::per_minute(1);
    loop {
        // Wait for the permit first: connections above the limit stay in the kernel's backlog.
        let accepting = async {
            let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((permit, socket.accept().await?))
        };
        let accepted = tokio::select! {
            () = stopped.wait() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepting => accepted,
        };
        match accepted {
            Ok((permit, accepted)) => drop(connections.spawn(serve_connection(permit, accepted))),
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
    // If no other accept loop uses this socket, closing it would reset the connections in its backlog: serve them
    // first.
    while let Some(socket) = Arc::get_mut(&mut socket)
        && let Ok(permit) = permits.clone().try_acquire_owned()
        && let Ok(accepted) = socket.try_accept()
    {
        connections.spawn(serve_connection(permit, accepted));
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

const MAX_CONNECTIONS: usize = 4096;
const RETRY_DELAY: Duration = Duration::from_millis(50);
