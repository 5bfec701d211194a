//! Misbehaviour that a test switches on while a server runs: for all requests, for some, or for the next n.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;

use super::body::Ending;
use super::content::Slice;
use super::ledger::Entry;
use super::reply::Reply;

/// Describes one misbehaviour; [`Server::inject`](super::Server::inject) switches it on.
pub struct Fault {
    pub(super) effect: Effect,
    left: Option<usize>,
    pub(super) conditions: Vec<Condition>,
}

pub(super) type Condition = Box<dyn Fn(&Entry) -> bool + Send + Sync>;
pub(super) type Alteration = Arc<dyn Fn(&Entry, Reply) -> Reply + Send + Sync>;

#[derive(Clone)]
pub(super) enum Effect {
    HangOnAccept,
    CloseOnAccept,
    Delay(Duration),
    HangBeforeHead,
    Answer(Box<Reply>),
    Alter(Alteration),
    End(Ending),
    CloseAfterAnswer,
    Interrupt(Interruption),
}

/// What happens while a request body is read. What came before it has arrived where it was going.
#[derive(Clone)]
pub(super) struct Interruption {
    /// Bytes read before it; `None`: all of them.
    pub(super) after: Option<u64>,
    pub(super) then: Then,
}

#[derive(Clone)]
pub(super) enum Then {
    Cut,
    Stall,
    Answer(Box<Reply>),
}

impl Fault {
    /// This reply instead of the true one.
    pub fn answer(reply: Reply) -> Self {
        Self::new(Effect::Answer(Box::new(reply)))
    }

    /// The true reply, changed.
    pub fn alter(change: impl Fn(&Entry, Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(Effect::Alter(Arc::new(change)))
    }

    /// The status with an HTML page, as load balancers answer.
    pub fn html(status: u16) -> Self {
        let page =
            format!("<html><body><h1>{status}</h1>\nNo server is available to handle this request.\n</body></html>\n");
        Self::answer(Reply::new(status).html(&page))
    }

    pub fn text(status: u16, text: &str) -> Self {
        Self::answer(Reply::new(status).text(text))
    }

    /// The error document of S3, R2 and Azure storage.
    pub fn xml(status: u16, code: &str) -> Self {
        let document = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>refused</Message></Error>"#
        );
        Self::answer(Reply::new(status).xml(&document))
    }

    /// What a blob store says to a signed URL past its time.
    pub fn expired_signature() -> Self {
        Self::xml(403, "AccessDenied")
    }

    /// A 401 with these `WWW-Authenticate` lines.
    pub fn challenge(lines: &[&str]) -> Self {
        let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
        Self::answer(lines.iter().fold(reply, |reply, line| reply.line("www-authenticate", line)))
    }

    pub fn redirect(status: u16, location: &str) -> Self {
        Self::answer(Reply::redirect(status, location))
    }

    /// A redirect to the very URL that was asked for.
    pub fn redirect_to_itself(status: u16) -> Self {
        Self::alter(move |entry, _| {
            let query = if entry.query.is_empty() { String::new() } else { format!("?{}", entry.query) };
            Reply::redirect(status, &format!("{}{query}", entry.path))
        })
    }

    pub fn without_header(name: &'static str) -> Self {
        Self::alter(move |_, reply| reply.without(name))
    }

    pub fn with_header(name: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        Self::alter(move |_, reply| reply.header(name, &value))
    }

    /// A body that stops after `len` bytes while HTTP says it is whole: broken JSON.
    pub fn truncated(len: u64) -> Self {
        Self::alter(move |_, mut reply| {
            let last = reply.body.len().min(len).saturating_sub(1);
            reply.body = reply.body.part(0, last);
            reply.without("content-length")
        })
    }

    /// A document of the same status, `len` bytes long, that would be a valid token reply and a valid error.
    pub fn giant(len: usize) -> Self {
        let (head, tail) = (r#"{"errors":[],"token":""#, r#""}"#);
        let document = format!("{head}{}{tail}", "a".repeat(len.saturating_sub(head.len() + tail.len())));
        let body = Slice::whole_bytes(document.into());
        Self::alter(move |_, reply| reply.without("content-length").slice("application/json", body.clone()))
    }

    /// The true body gzip'd, whatever `Accept-Encoding` said.
    pub fn gzip() -> Self {
        Self::alter(|_, mut reply| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let packed = encoder.write_all(&reply.body.to_bytes()).and_then(|()| encoder.finish());
            reply.body = Slice::whole_bytes(packed.expect("writing into memory does not fail").into());
            reply.without("content-length").header("content-encoding", "gzip")
        })
    }

    /// The true reply, but made and sent after this long (tokio time).
    pub fn delay(duration: Duration) -> Self {
        Self::new(Effect::Delay(duration))
    }

    /// Takes the connection and never reads from it. Has no request, so conditions do not apply.
    pub fn hang_on_accept() -> Self {
        Self::new(Effect::HangOnAccept)
    }

    /// Takes the connection and closes it at once. Has no request, so conditions do not apply.
    pub fn close_on_accept() -> Self {
        Self::new(Effect::CloseOnAccept)
    }

    pub fn hang_before_head() -> Self {
        Self::new(Effect::HangBeforeHead)
    }

    pub fn hang_after_head() -> Self {
        Self::hang_mid_body(0)
    }

    /// Sends this much of the body and then nothing more.
    pub fn hang_mid_body(after: u64) -> Self {
        Self::new(Effect::End(Ending::Hang { after }))
    }

    /// Closes the connection after this much of the body.
    pub fn close_mid_body(after: u64) -> Self {
        Self::new(Effect::End(Ending::Close { after }))
    }

    /// Resets the connection after this much of the body; TCP may lose some of it.
    pub fn reset_mid_body(after: u64) -> Self {
        Self::new(Effect::End(Ending::Reset { after }))
    }

    /// Answers in full and then closes, without a word of it in the head: the client's pool holds a dead connection.
    pub fn close_after_answer() -> Self {
        Self::new(Effect::CloseAfterAnswer)
    }

    /// Closes the connection after this much of the request body.
    pub fn cut_upload(after: u64) -> Self {
        Self::new(Effect::Interrupt(Interruption { after: Some(after), then: Then::Cut }))
    }

    /// Reads this much of the request body, then nothing more, and never answers.
    pub fn stall_upload(after: u64) -> Self {
        Self::new(Effect::Interrupt(Interruption { after: Some(after), then: Then::Stall }))
    }

    /// Reads this much of the request body, answers with this and closes.
    pub fn answer_mid_upload(after: u64, reply: Reply) -> Self {
        Self::new(Effect::Interrupt(Interruption { after: Some(after), then: Then::Answer(Box::new(reply)) }))
    }

    /// Reads the whole request body and then does nothing with it but answer this.
    pub fn answer_after_upload(reply: Reply) -> Self {
        Self::new(Effect::Interrupt(Interruption { after: None, then: Then::Answer(Box::new(reply)) }))
    }

    /// Only for the next `n` requests it applies to.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    #[must_use]
    pub fn when(mut self, condition: impl Fn(&Entry) -> bool + Send + Sync + 'static) -> Self {
        self.conditions.push(Box::new(condition));
        self
    }

    /// Only for paths that contain this.
    #[must_use]
    pub fn path(self, part: &str) -> Self {
        let part = part.to_owned();
        self.when(move |entry| entry.path.contains(&part))
    }

    #[must_use]
    pub fn method(self, method: Method) -> Self {
        self.when(move |entry| entry.method == method)
    }

    fn new(effect: Effect) -> Self {
        Self { effect, left: None, conditions: Vec::new() }
    }

    /// Takes one of the times it still applies.
    pub(super) fn use_up(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}
