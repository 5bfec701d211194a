//! What a cell has to show.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use http::Method;

use super::cell::{Outcome, PASSWORD};
use super::operations::Operation;
use crate::harness::Reply;
use crate::sim::{RequestAuth, Role};

/// How a cell ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The client got what it gets without the fault.
    Right,
    /// The client got other content that no digest protects: a list, a part of a blob, the answer to a write or a HEAD.
    Unverifiable,
    /// The client got an error document.
    Error,
    /// The transfer broke off, so that the client knows that it has only a part.
    Broken,
}

impl Outcome {
    /// Judges the outcome by what the same request gets without a fault.
    pub fn verdict(&self, operation: &Operation, right: &Reply) -> Result<Verdict, String> {
        self.check_secrets()?;
        let Some(reply) = &self.reply else {
            return if self.time < BODY_DEADLINE { Ok(Verdict::Broken) } else { Err("no reply".to_owned()) };
        };
        let limit = if reply.status.is_success() { BODY_DEADLINE } else { DEADLINE };
        if self.time > limit {
            return Err(format!("took {:?}", self.time));
        }
        if reply.header("set-cookie").is_some() {
            return Err("a cookie came through".to_owned());
        }
        let is_head = (operation.request)().method() == Method::HEAD;
        if !reply.status.is_success() {
            let is_error = reply.status.is_client_error() || reply.status.is_server_error();
            return if is_error && (is_head || is_error_document(&reply.body)) && reply.complete {
                Ok(Verdict::Error)
            } else {
                Err("neither a success nor an error".to_owned())
            };
        }
        if !reply.complete {
            return Ok(Verdict::Broken);
        }
        // Registries confirm writes in several ways.
        let is_write = matches!(right.status.as_u16(), 201 | 202);
        if reply.status != right.status && !(is_write && matches!(reply.status.as_u16(), 200..=204)) {
            return Err(format!("another success than {}", right.status));
        }
        if operation.names_digest && reply.header(DIGEST).is_some_and(|digest| Some(digest) != right.header(DIGEST)) {
            return Err("another digest".to_owned());
        }
        if reply.header("content-range") != right.header("content-range") {
            return Err("another range".to_owned());
        }
        if decoded(reply) == right.body && (!is_head || reply.header(LENGTH) == right.header(LENGTH)) {
            return Ok(Verdict::Right);
        }
        if operation.is_verified {
            return Err(format!("{} bytes instead of {}, or other ones", reply.body.len(), right.body.len()));
        }
        Ok(Verdict::Unverifiable)
    }

    /// The password goes to the token service alone, tokens to the registry alone, and the client sees none of them.
    fn check_secrets(&self) -> Result<(), String> {
        let mut secrets = vec![PASSWORD.to_owned()];
        for entry in &self.ledger {
            let has_right_credential = matches!(
                (entry.role, &entry.authorization),
                (_, RequestAuth::None)
                    | (Role::TokenService, RequestAuth::Basic { .. })
                    | (Role::Registry, RequestAuth::Bearer { .. })
            );
            if !has_right_credential {
                return Err(format!("{:?} at {}", entry.authorization, entry.server));
            }
            let sent = entry.headers.get("authorization").and_then(|value| value.to_str().ok());
            secrets.extend(sent.and_then(|value| value.split_once(' ')).map(|(_, secret)| secret.to_owned()));
        }
        let Some(reply) = &self.reply else { return Ok(()) };
        let shown = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
        if secrets.iter().any(|secret| shown.contains(secret.as_str())) {
            Err("a secret came through".to_owned())
        } else {
            Ok(())
        }
    }
}

fn is_error_document(body: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let error = &document["errors"][0];
    ["code", "message"].iter().all(|key| error[key].as_str().is_some_and(|text| !text.is_empty()))
}

/// The body without a `Content-Encoding`: a blob passes as the registry encodes it.
fn decoded(reply: &Reply) -> Vec<u8> {
    let mut decoded = Vec::new();
    let is_gzip = reply.header("content-encoding") == Some("gzip");
    if is_gzip && GzDecoder::new(&*reply.body).read_to_end(&mut decoded).is_ok() {
        decoded
    } else {
        reply.body.to_vec()
    }
}

const DIGEST: &str = "docker-content-digest";
const LENGTH: &str = "content-length";
/// For an error: every client gives up later.
const DEADLINE: Duration = Duration::from_secs(41);
/// For a body that has stalled: the wait for its next byte, and a resumption.
const BODY_DEADLINE: Duration = Duration::from_secs(120);
