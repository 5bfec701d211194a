//! Which requests are sent again after their connection closed, because a server may close an unused connection just
//! when a request is sent over it.

use http::{Method, Request};
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::CaptureConnection;

use super::error::is_closed_connection;
use super::received::is_unanswered_on_reused;
use super::spool::Payload;

/// How often a request may still be sent again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repetitions {
    left: u32,
    is_read: bool,
}

impl Repetitions {
    pub(super) fn of(request: &Request<Payload>) -> Self {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_empty();
        Self { left: if is_read { MAX_OF_READS } else { 1 }, is_read }
    }

    /// Whether to send the request again, on a new connection, after it failed with `error` on `connection`. A read, after
    /// any closed connection. Any other request only if it is [safe](is_safe), the connection had been used before, and the
    /// server sent no part of an answer.
    pub(super) fn allow(&mut self, request: &Request<Payload>, error: &Error, connection: &CaptureConnection) -> bool {
        let is_allowed = self.left > 0
            && is_closed_connection(error)
            && (self.is_read || (is_unanswered_on_reused(connection) && is_safe(request)));
        self.left -= u32::from(is_allowed);
        is_allowed
    }
}

/// Whether sending the request twice has the effect of sending it once, even if the server has processed the first (RFC
/// 9110, section 9.2.2).
///
/// - PUT and DELETE with a body that is known whole: the methods are idempotent.
/// - POST without a body starts an upload, which is abandoned if the answer is lost, or mounts a blob, which is there
///   already the second time. POST with a streamed body uploads a whole blob under its digest. Any other POST is a request
///   to a token service or a cloud, which may use up what it carries.
/// - PATCH with a body appends it to an upload, and a PUT may do so, too. They are safe only if regpass has not begun to
///   send the body.
fn is_safe(request: &Request<Payload>) -> bool {
    match (request.method(), request.body()) {
        (&Method::PUT | &Method::DELETE, Payload::Buffered(_)) | (&Method::POST, Payload::Streamed(_)) => true,
        (&Method::POST | &Method::PATCH, Payload::Buffered(body)) => body.is_empty(),
        (&Method::PUT | &Method::PATCH, Payload::Streamed(spool)) => spool.bytes_sent() == 0,
        _ => false,
    }
}

const MAX_OF_READS: u32 = 2;
