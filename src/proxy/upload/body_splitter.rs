//! Splits a client's body into chunks whose length is known before they are sent.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::net::progress::Progress;
use crate::net::spool::ClientFault;

/// Reads a body chunk by chunk.
#[derive(Debug)]
pub(super) struct BodySplitter {
    incoming: Incoming,
    /// Data received beyond the last chunk.
    rest: Bytes,
    idle: Duration,
    progress: Progress,
}

impl BodySplitter {
    /// `idle` is the maximum time without data from the client.
    pub(super) fn new(incoming: Incoming, idle: Duration, progress: Progress) -> Self {
        Self { incoming, rest: Bytes::new(), idle, progress }
    }

    /// The next `size` bytes, or fewer at the end of the body; `None` after it.
    pub(super) async fn next(&mut self, size: usize) -> Result<Option<Bytes>, ClientFault> {
        let mut chunk = BytesMut::with_capacity(size);
        self.progress.pause();
        loop {
            let more = self.rest.split_to(self.rest.len().min(size - chunk.len()));
            chunk.extend_from_slice(&more);
            if chunk.len() == size {
                break;
            }
            let frame = timeout(self.idle, self.incoming.frame()).await.map_err(|_| ClientFault::Idle(self.idle))?;
            let Some(frame) = frame else { break };
            if let Ok(data) = frame.map_err(|_| ClientFault::Broken)?.into_data() {
                self.rest = data;
            }
        }
        self.progress.record();
        Ok((!chunk.is_empty()).then(|| chunk.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::fixture::{IDLE, body, random};

    #[tokio::test(start_paused = true)]
    async fn chunks_have_the_requested_size_whatever_the_frame_size() {
        for (length, frame, size) in
            [(0, 1, 10), (100, 7, 10), (100, 100, 10), (105, 33, 10), (9, 2, 10), (65_536, 4099, 65_536)]
        {
            let bytes = random(12, length);
            let (incoming, mut client) = body(None).await;
            bytes.chunks(frame).for_each(|data| client.send(&Bytes::copy_from_slice(data)));
            client.finish();
            let mut chunks = BodySplitter::new(incoming, IDLE, Progress::start());
            let mut received = Vec::new();
            while let Some(chunk) = chunks.next(size).await.unwrap() {
                received.push(chunk);
            }
            let expected: Vec<_> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(received, expected, "{length} bytes in frames of {frame}, chunks of {size}");
        }
        let (incoming, client) = body(None).await;
        client.send(&random(13, 15));
        let mut chunks = BodySplitter::new(incoming, IDLE, Progress::start());
        assert_eq!(chunks.next(10).await.unwrap().unwrap().len(), 10);
        assert_eq!(chunks.next(10).await, Err(ClientFault::Idle(IDLE)), "an incomplete chunk is not returned");
    }
}
