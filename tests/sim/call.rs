//! One request as its handler sees it: the head, and the body piece by piece until it ends or a fault interrupts it.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{Notify, oneshot};

use super::fault::{InterruptAction, UploadInterruption};
use super::ledger::{Entry, ExpectContinue, Framing};
use super::reply::Reply;
use super::rules::Rule;
use super::wire::WireState;
use super::world::World;

/// A received request. Its ledger entry is updated as the body is read.
pub struct Call {
    pub entry: Entry,
    number: usize,
    world: Arc<World>,
    body: RequestBody,
    /// Sends the reply of a fault, which replaces the handler's.
    fault_reply: Option<oneshot::Sender<Reply>>,
    /// Bytes read from the wire that lie beyond the point where a fault interrupts the body.
    rest: Bytes,
}

/// The body of a request, and the fault that interrupts it.
pub(super) struct RequestBody {
    pub(super) incoming: Incoming,
    pub(super) wire: Arc<WireState>,
    pub(super) interruption: Option<UploadInterruption>,
    /// Notified when the connection has to close without a reply.
    pub(super) close_now: Arc<Notify>,
}

impl Call {
    pub(super) fn new(
        entry: Entry,
        number: usize,
        world: Arc<World>,
        body: RequestBody,
    ) -> (Self, oneshot::Receiver<Reply>) {
        let (sender, fault_reply) = oneshot::channel();
        (Self { entry, number, world, body, fault_reply: Some(sender), rest: Bytes::new() }, fault_reply)
    }

    /// The next piece of the request body; `None` at its end. Never returns once the body breaks off or a fault interrupts
    /// it: the handler is dropped then, and what it has stored so far stays.
    pub async fn next_piece(&mut self) -> Option<Bytes> {
        let left = self.body.interruption.as_ref().and_then(|interruption| interruption.after);
        let left = left.map(|after| after.saturating_sub(self.entry.body_len));
        if left == Some(0) {
            self.interrupt().await;
        }
        let Some(mut piece) = self.read_piece().await else {
            if self.body.interruption.as_ref().is_some_and(|interruption| interruption.after.is_none()) {
                self.interrupt().await;
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
            let frame = self.body.incoming.frame().await;
            match frame {
                Some(Ok(frame)) => {
                    self.note_expectation();
                    if let Ok(piece) = frame.into_data() {
                        return Some(piece);
                    }
                }
                None => {
                    self.amend(|entry| entry.body_complete = true);
                    return None;
                }
                Some(Err(_)) => {
                    self.body.close_now.notify_one();
                    pending::<()>().await;
                }
            }
        }
    }

    fn note_expectation(&mut self) {
        if self.entry.expect != ExpectContinue::NoContinue {
            return;
        }
        // hyper writes the 100 only if it has read no bytes of the body yet: without a 100, the body was sent early.
        let waited = self.body.wire.continued().unwrap_or(false);
        let outcome = if waited { ExpectContinue::Continued } else { ExpectContinue::BodySentEarly };
        self.amend(|entry| entry.expect = outcome);
    }

    async fn interrupt(&mut self) {
        let action = self.body.interruption.take().map(|interruption| interruption.action);
        match (action, self.fault_reply.take()) {
            (Some(InterruptAction::Reply(reply)), Some(sender)) => drop(sender.send(*reply)),
            (Some(InterruptAction::Close), _) => self.body.close_now.notify_one(),
            _ => {}
        }
        pending::<()>().await;
    }

    /// Reads the whole request body: for documents and forms.
    pub async fn read(&mut self) -> Bytes {
        let mut all = Vec::new();
        while let Some(piece) = self.next_piece().await {
            all.extend_from_slice(&piece);
        }
        all.into()
    }

    /// The length that the head declares; `None` for a chunked body.
    pub fn declared_length(&self) -> Option<u64> {
        match self.entry.framing {
            Framing::None => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        }
    }

    /// Changes the ledger entry, for facts that only the body reveals.
    pub fn amend(&mut self, change: impl Fn(&mut Entry)) {
        change(&mut self.entry);
        self.world.ledger.amend(self.number, change);
    }

    /// Records that this request breaks a rule.
    pub fn report_violation(&self, rule: Rule) {
        self.world.rules.report_violation(rule, &self.entry);
    }

    /// The value of a header; `None` if it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.entry.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
