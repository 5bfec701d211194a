//! A request in its handler's hands: what came in the head, and the body piece by piece, until it ends or a fault strikes.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{Notify, oneshot};

use super::fault::{Interruption, Then};
use super::ledger::{Entry, Expect, Framing};
use super::reply::Reply;
use super::rules::Rule;
use super::wire::Gauge;
use super::world::World;

/// A request on its way to its handler.
pub struct Call {
    pub entry: Entry,
    number: usize,
    world: Arc<World>,
    upload: Upload,
    /// Answers over the handler's head.
    outcome: Option<oneshot::Sender<Reply>>,
    /// What came beyond the point of a fault that has not struck yet.
    rest: Bytes,
}

/// The body of a request, and what is planned for it.
pub(super) struct Upload {
    pub(super) body: Incoming,
    pub(super) gauge: Arc<Gauge>,
    pub(super) interruption: Option<Interruption>,
    /// Told when the connection shall close without an answer.
    pub(super) leave: Arc<Notify>,
}

impl Call {
    pub(super) fn new(
        entry: Entry,
        number: usize,
        world: Arc<World>,
        upload: Upload,
    ) -> (Self, oneshot::Receiver<Reply>) {
        let (sender, outcome) = oneshot::channel();
        (Self { entry, number, world, upload, outcome: Some(sender), rest: Bytes::new() }, outcome)
    }

    /// The next piece of the request body; `None` at its end. Does not return when the body breaks off or a fault
    /// strikes: the handler is dropped then, with what has arrived so far.
    pub async fn next_piece(&mut self) -> Option<Bytes> {
        let left = self.upload.interruption.as_ref().and_then(|interruption| interruption.after);
        let left = left.map(|after| after.saturating_sub(self.entry.body_len));
        if left == Some(0) {
            self.strike().await;
        }
        let Some(mut piece) = self.read_piece().await else {
            if self.upload.interruption.as_ref().is_some_and(|interruption| interruption.after.is_none()) {
                self.strike().await;
            }
            return None;
        };
        if let Some(left) = left.and_then(|left| usize::try_from(left).ok())
            && left < piece.len()
        {
            self.rest = piece.split_off(left);
        }
        let read = self.entry.body_len + piece.len() as u64;
        self.amend(|entry| entry.body_len = read);
        Some(piece)
    }

    async fn read_piece(&mut self) -> Option<Bytes> {
        if !self.rest.is_empty() {
            return Some(std::mem::take(&mut self.rest));
        }
        loop {
            let frame = self.upload.body.frame().await;
            match frame {
                Some(Ok(frame)) => {
                    self.note_expectation();
                    if let Ok(piece) = frame.into_data() {
                        return Some(piece);
                    }
                }
                None => {
                    self.amend(|entry| entry.body_whole = true);
                    return None;
                }
                Some(Err(_)) => {
                    self.upload.leave.notify_one();
                    pending::<()>().await;
                }
            }
        }
    }

    fn note_expectation(&mut self) {
        if self.entry.expect != Expect::Unanswered {
            return;
        }
        // hyper writes the 100 only after it has looked for a body among what it has read already.
        let waited = self.upload.gauge.continued().unwrap_or(false);
        let seen = if waited { Expect::Continued } else { Expect::Overrun };
        self.amend(|entry| entry.expect = seen);
    }

    async fn strike(&mut self) {
        let then = self.upload.interruption.take().map(|interruption| interruption.then);
        match (then, self.outcome.take()) {
            (Some(Then::Answer(reply)), Some(outcome)) => drop(outcome.send(*reply)),
            (Some(Then::Cut), _) => self.upload.leave.notify_one(),
            _ => {}
        }
        pending::<()>().await;
    }

    /// The whole request body: for documents and forms.
    pub async fn read(&mut self) -> Bytes {
        let mut all = Vec::new();
        while let Some(piece) = self.next_piece().await {
            all.extend_from_slice(&piece);
        }
        all.into()
    }

    /// The length that the head tells; `None` for chunks.
    pub fn told_length(&self) -> Option<u64> {
        match self.entry.framing {
            Framing::None => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        }
    }

    /// Makes the ledger tell what only the body tells.
    pub fn amend(&mut self, change: impl Fn(&mut Entry)) {
        change(&mut self.entry);
        self.world.ledger.amend(self.number, change);
    }

    pub fn broken(&self, rule: Rule) {
        self.world.rules.broken(rule, &self.entry);
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.entry.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
