//! One connection of HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use super::{HEAD_LIMIT, Handler, LULL};
use crate::net::body::{BUFFER, StreamBody};

/// Ends at once when told to: GOAWAY says which requests are still answered, so none is lost.
pub(super) async fn connection<S>(stream: S, handler: Handler) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut closing = handler.closing.clone();
    let begun = Arc::<AtomicU64>::default();
    let service = Http2 { handler, begun: begun.clone() };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_LIMIT)
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(LARGEST_HEAD)
        .max_send_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    loop {
        let before = begun.load(Ordering::Relaxed);
        tokio::select! {
            over = connection.as_mut() => return over,
            () = closing.told() => break,
            // Nothing new for so long: what is under way is finished, a client that never spoke is left.
            () = sleep(HEAD_LIMIT) => if begun.load(Ordering::Relaxed) == before { break },
        }
    }
    connection.as_mut().graceful_shutdown();
    if begun.load(Ordering::Relaxed) == 0 {
        // It may have said nothing at all, and hyper waits for the preface before it closes.
        return timeout(LULL, connection).await.unwrap_or(Ok(()));
    }
    connection.await
}

struct Http2 {
    handler: Handler,
    /// The requests so far.
    begun: Arc<AtomicU64>,
}

impl hyper::service::Service<Request<Incoming>> for Http2 {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let answering = self.handler.answer(request);
        Box::pin(async move { Ok(answering.await) })
    }
}

/// A client that is gone without a word is noticed within the sum of the two.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(20);
/// Clients pull a handful of blobs at a time.
const MOST_STREAMS: u32 = 100;
const LARGEST_HEAD: u32 = 64 * 1024;
