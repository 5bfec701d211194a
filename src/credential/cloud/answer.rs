//! What an endpoint of a cloud answers: a JSON object, or why not.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::failure::{Failure, Step};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::base::sent::Sent;
use crate::oci::error::{ErrorEntry, one_line, readable};

/// The members of a JSON object that came with 200.
pub(super) struct Answer {
    step: &'static Step,
    host: String,
    members: Map<String, Value>,
}

impl Answer {
    pub(super) fn read(
        step: &'static Step,
        url: &Url,
        sent: &Sent,
        response: Response<Bytes>,
    ) -> Result<Self, Failure> {
        let host = url.origin.authority();
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            let said = message(&body, sent).map(|said| format!(": {said}")).unwrap_or_default();
            let why = format!("it answered {}{said}", head.status);
            let is_refusal = head.status.is_client_error() && !matches!(head.status.as_u16(), 408 | 410 | 429);
            return Err(if is_refusal { step.refused(&host, why) } else { step.failed(&host, why) });
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Object(members)) => Ok(Self { step, host, members }),
            _ => Err(step.failed(&host, "its answer is not a JSON object")),
        }
    }

    /// A token, which must be fit for a header.
    pub(super) fn token(&self, member: &str) -> Result<Secret, Failure> {
        let token = self.members.get(member).and_then(Value::as_str).unwrap_or_default();
        if token.is_empty() {
            return Err(self.malformed(&format!("its answer holds no '{member}'")));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.malformed(&format!("its '{member}' has characters that no header may have")));
        }
        Ok(Secret::new(token))
    }

    /// How long something lasts, in seconds, which some endpoints write as a text.
    pub(super) fn lifetime(&self, member: &str) -> Result<Duration, Failure> {
        let seconds = match self.members.get(member) {
            Some(Value::Number(seconds)) => seconds.as_u64(),
            Some(Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        match seconds.filter(|seconds| *seconds > 0) {
            Some(seconds) => Ok(Duration::from_secs(seconds)),
            None => Err(self.malformed(&format!("its '{member}' is not a number of seconds above 0"))),
        }
    }

    fn malformed(&self, why: &str) -> Failure {
        self.step.failed(&self.host, why)
    }
}

/// What the endpoint says, as long as it does not repeat what it was sent.
fn message(body: &Bytes, sent: &Sent) -> Option<String> {
    let clean = |text: &str| !sent.is_in(text);
    let body = Some(body).filter(|body| clean(&String::from_utf8_lossy(body)))?;
    let said = ErrorEntry::parse_all(body).first().map(|entry| entry.message.clone());
    let said = said.or_else(|| nested(body)).or_else(|| readable(body))?;
    Some(said).filter(|said| clean(said)).map(|said| one_line(&said))
}

/// `{"error": {"message": …}}`, and `error` beside `error_description`.
fn nested(body: &Bytes) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let error = body.get("error")?;
    match (text(error), body.get("error_description").and_then(text)) {
        (Some(error), Some(description)) => Some(format!("{error}: {description}")),
        (Some(error), None) => Some(error),
        (None, _) => error.get("message").and_then(text),
    }
}
