//! Misbehaviour that a test injects into a running server: for all requests, for some, or for the next n.

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

/// One kind of misbehaviour; [`Server::inject`](super::Server::inject) makes a server behave so.
pub struct Fault {
    pub(super) effect: Effect,
    /// How many more requests or connections it applies to; `None` for no limit.
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
    CloseBeforeHead,
    Answer(Box<Reply>),
    Alter(Alteration),
    End(Ending),
    CloseAfterAnswer,
    Interrupt(UploadInterruption),
}

/// What interrupts the reading of a request body. The handler has received every byte before the interruption.
#[derive(Clone)]
pub(super) struct UploadInterruption {
    /// Bytes that are read first; `None` for the whole body.
    pub(super) after: Option<u64>,
    pub(super) action: InterruptAction,
}

#[derive(Clone)]
pub(super) enum InterruptAction {
    Close,
    Stall,
    Reply(Box<Reply>),
}

impl Fault {
    /// Sends this reply instead of the real one.
    pub fn answer(reply: Reply) -> Self {
        Self::new(Effect::Answer(Box::new(reply)))
    }

    /// Sends the real reply as `change` returns it.
    pub fn alter(change: impl Fn(&Entry, Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::new(Effect::Alter(Arc::new(change)))
    }

    /// Replies with an HTML error page, as load balancers do.
    pub fn html(status: u16) -> Self {
        let page =
            format!("<html><body><h1>{status}</h1>\nNo server is available to handle this request.\n</body></html>\n");
        Self::answer(Reply::new(status).html(&page))
    }

    /// Replies with plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::answer(Reply::new(status).text(text))
    }

    /// Replies with the error document of S3, R2 and Azure storage.
    pub fn xml(status: u16, code: &str) -> Self {
        let document = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>refused</Message></Error>"#
        );
        Self::answer(Reply::new(status).xml(&document))
    }

    /// Replies as a blob store does to an expired signed URL.
    pub fn expired_signature() -> Self {
        Self::xml(403, "AccessDenied")
    }

    /// Replies with a 401 that has these `WWW-Authenticate` lines.
    pub fn challenge(lines: &[&str]) -> Self {
        let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
        Self::answer(lines.iter().fold(reply, |reply, line| reply.append_header("www-authenticate", line)))
    }

    /// Replies with a redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::answer(Reply::redirect(status, location))
    }

    /// Redirects to the URL of the request itself.
    pub fn redirect_to_itself(status: u16) -> Self {
        Self::alter(move |entry, _| {
            let query = if entry.query.is_empty() { String::new() } else { format!("?{}", entry.query) };
            Reply::redirect(status, &format!("{}{query}", entry.path))
        })
    }

    /// Removes a header from the reply.
    pub fn without_header(name: &'static str) -> Self {
        Self::alter(move |_, reply| reply.without_header(name))
    }

    /// Sets a header of the reply.
    pub fn with_header(name: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        Self::alter(move |_, reply| reply.header(name, &value))
    }

    /// Cuts the reply's body to `len` bytes, correctly framed: the document is broken, the transfer is not.
    pub fn truncated(len: u64) -> Self {
        Self::alter(move |_, mut reply| {
            reply.body = match reply.body.len().min(len).checked_sub(1) {
                Some(last) => reply.body.part(0, last),
                None => Slice::empty(),
            };
            reply.without_header("content-length")
        })
    }

    /// Sends the reply without `Content-Length`; its body is chunked.
    pub fn without_length() -> Self {
        Self::alter(|_, reply| reply.without_header("content-length").chunked())
    }

    /// Replaces the body by a document of `len` bytes that is a valid token reply and a valid error; the status stays.
    pub fn oversized(len: usize) -> Self {
        let (head, tail) = (r#"{"errors":[],"token":""#, r#""}"#);
        let document = format!("{head}{}{tail}", "a".repeat(len.saturating_sub(head.len() + tail.len())));
        let body = Slice::whole_bytes(document.into());
        Self::alter(move |_, reply| reply.without_header("content-length").slice("application/json", body.clone()))
    }

    /// Compresses the body with gzip whatever `Accept-Encoding` said.
    pub fn gzip() -> Self {
        Self::alter(|_, mut reply| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let packed = encoder.write_all(&reply.body.to_bytes()).and_then(|()| encoder.finish());
            reply.body = Slice::whole_bytes(packed.expect("writing into memory does not fail").into());
            reply.without_header("content-length").header("content-encoding", "gzip")
        })
    }

    /// Delays the request by this much (tokio time) before its reply is made.
    pub fn delay(duration: Duration) -> Self {
        Self::new(Effect::Delay(duration))
    }

    /// Accepts the connection and never reads from it. There is no request yet, so conditions do not apply.
    pub fn hang_on_accept() -> Self {
        Self::new(Effect::HangOnAccept)
    }

    /// Accepts the connection and closes it at once. There is no request yet, so conditions do not apply.
    pub fn close_on_accept() -> Self {
        Self::new(Effect::CloseOnAccept)
    }

    /// Reads the request and never replies.
    pub fn hang_before_head() -> Self {
        Self::new(Effect::HangBeforeHead)
    }

    /// Reads the head of the request and closes the connection without a reply, as a load balancer whose idle timeout has
    /// just expired.
    pub fn close_before_head() -> Self {
        Self::new(Effect::CloseBeforeHead)
    }

    /// Sends the head of the reply and then nothing more.
    pub fn hang_after_head() -> Self {
        Self::hang_mid_body(0)
    }

    /// Sends this many bytes of the body and then nothing more; the connection stays open.
    pub fn hang_mid_body(after: u64) -> Self {
        Self::new(Effect::End(Ending::Hang { after }))
    }

    /// Closes the connection after this many bytes of the body.
    pub fn close_mid_body(after: u64) -> Self {
        Self::new(Effect::End(Ending::Close { after }))
    }

    /// Resets the connection after this many bytes of the body; TCP may lose some of them.
    pub fn reset_mid_body(after: u64) -> Self {
        Self::new(Effect::End(Ending::Reset { after }))
    }

    /// Replies in full and then closes without `Connection: close`, so that the client's pool holds a dead connection.
    pub fn close_after_answer() -> Self {
        Self::new(Effect::CloseAfterAnswer)
    }

    /// Closes the connection after this many bytes of the request body.
    pub fn cut_upload(after: u64) -> Self {
        Self::new(Effect::Interrupt(UploadInterruption { after: Some(after), action: InterruptAction::Close }))
    }

    /// Reads this many bytes of the request body, then nothing more, and never replies.
    pub fn stall_upload(after: u64) -> Self {
        Self::new(Effect::Interrupt(UploadInterruption { after: Some(after), action: InterruptAction::Stall }))
    }

    /// Reads this many bytes of the request body, sends this reply and closes.
    pub fn answer_mid_upload(after: u64, reply: Reply) -> Self {
        Self::new(Effect::Interrupt(UploadInterruption {
            after: Some(after),
            action: InterruptAction::Reply(Box::new(reply)),
        }))
    }

    /// Reads the whole request body, discards it and sends this reply.
    pub fn answer_after_upload(reply: Reply) -> Self {
        Self::new(Effect::Interrupt(UploadInterruption {
            after: None,
            action: InterruptAction::Reply(Box::new(reply)),
        }))
    }

    /// Limits the fault to the next `n` requests that meet its conditions, or the next `n` connections.
    #[must_use]
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    /// Limits the fault to requests for which `condition` holds.
    #[must_use]
    pub fn when(mut self, condition: impl Fn(&Entry) -> bool + Send + Sync + 'static) -> Self {
        self.conditions.push(Box::new(condition));
        self
    }

    /// Limits the fault to paths that contain `part`.
    #[must_use]
    pub fn path(self, part: &str) -> Self {
        let part = part.to_owned();
        self.when(move |entry| entry.path.contains(&part))
    }

    /// Limits the fault to one method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        self.when(move |entry| entry.method == method)
    }

    fn new(effect: Effect) -> Self {
        Self { effect, left: None, conditions: Vec::new() }
    }

    /// Counts one use; false if the limit of [`times`](Self::times) was reached before.
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
