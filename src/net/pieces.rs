//! A client's body cut into pieces whose length is known before they are sent.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::progress::Progress;
use super::spool::ClientFault;

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct Pieces {
    incoming: Incoming,
    /// What came beyond the last piece.
    rest: Bytes,
    idle: Duration,
    progress: Progress,
}

impl Pieces {
    /// The client may be silent for `idle`.
    pub fn of(incoming: Incoming, idle: Duration, progress: Progress) -> Self {
        Self { incoming, rest: Bytes::new(), idle, progress }
    }

    /// The next `size` bytes, or as many as there are; `None` at the end.
    pub async fn next(&mut self, size: usize) -> Result<Option<Bytes>, ClientFault> {
        let mut piece = BytesMut::with_capacity(size);
        self.progress.pause();
        loop {
            let more = self.rest.split_to(self.rest.len().min(size - piece.len()));
            piece.extend_from_slice(&more);
            if piece.len() == size {
                break;
            }
            let frame = timeout(self.idle, self.incoming.frame()).await.map_err(|_| ClientFault::Idle(self.idle))?;
            let Some(frame) = frame else { break };
            if let Ok(data) = frame.map_err(|_| ClientFault::Broken)?.into_data() {
                self.rest = data;
            }
        }
        self.progress.note();
        Ok((!piece.is_empty()).then(|| piece.freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{IDLE, body, random};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pieces_are_of_one_size_whatever_came() {
        for (length, piece, size) in
            [(0, 1, 10), (100, 7, 10), (100, 100, 10), (105, 33, 10), (9, 2, 10), (65_536, 4099, 65_536)]
        {
            let bytes = random(12, length);
            let (incoming, mut client) = body(None).await;
            bytes.chunks(piece).for_each(|piece| client.says(&Bytes::copy_from_slice(piece)));
            client.ends();
            let mut pieces = Pieces::of(incoming, IDLE, Progress::begin());
            let mut got = Vec::new();
            while let Some(piece) = pieces.next(size).await.unwrap() {
                got.push(piece);
            }
            assert_eq!(got, bytes.chunks(size).map(Bytes::copy_from_slice).collect::<Vec<_>>());
        }
        let (incoming, client) = body(None).await;
        client.says(&random(13, 15));
        let mut pieces = Pieces::of(incoming, IDLE, Progress::begin());
        assert_eq!(pieces.next(10).await.unwrap().unwrap().len(), 10);
        assert_eq!(pieces.next(10).await, Err(ClientFault::Idle(IDLE)), "half a piece is none");
    }
}
