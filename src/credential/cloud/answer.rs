//! What an endpoint of a cloud answers, or why not.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::failure::{Failure, Step};
use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::base::sent::Sent;
use crate::oci::error::{ErrorEntry, one_line, readable};

/// A body that came with 200.
pub(super) struct Answer {
    step: &'static Step,
    host: String,
    body: Bytes,
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
        if head.status == StatusCode::OK {
            return Ok(Self { step, host, body });
        }
        let said = message(&body, sent).map(|said| format!(": {said}")).unwrap_or_default();
        let why = format!("it answered {}{said}", head.status);
        let may_pass = !head.status.is_client_error() || matches!(head.status.as_u16(), 408 | 410 | 429);
        let failure = if may_pass { step.failed(&host, why) } else { step.refused(&host, why) };
        Err(Failure { their_time: date(&head.headers), ..failure })
    }

    /// The whole body, as a token.
    pub(super) fn text(&self) -> Result<Secret, Failure> {
        let text = str::from_utf8(&self.body).map(str::trim).unwrap_or_default();
        self.fit(text, "its answer is no token")
    }

    /// A member of a JSON object, as a token.
    pub(super) fn token(&self, member: &str) -> Result<Secret, Failure> {
        let members = self.members()?;
        match members.get(member).and_then(Value::as_str) {
            Some(token) => self.fit(token, &format!("its '{member}' is no token")),
            None => Err(self.malformed(&format!("its answer holds no '{member}'"))),
        }
    }

    /// How long something lasts, in seconds, which some endpoints write as a text.
    pub(super) fn lifetime(&self, member: &str) -> Result<Duration, Failure> {
        let seconds = match self.members()?.get(member) {
            Some(Value::Number(seconds)) => seconds.as_u64(),
            Some(Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        match seconds.filter(|seconds| *seconds > 0) {
            Some(seconds) => Ok(Duration::from_secs(seconds)),
            None => Err(self.malformed(&format!("its '{member}' is not a number of seconds above 0"))),
        }
    }

    pub(super) fn malformed(&self, why: &str) -> Failure {
        self.step.failed(&self.host, why)
    }

    fn members(&self) -> Result<Map<String, Value>, Failure> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(self.malformed("its answer is not a JSON object")),
        }
    }

    /// What goes into headers and forms is of visible characters.
    fn fit(&self, token: &str, otherwise: &str) -> Result<Secret, Failure> {
        let is_fit = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_fit { Ok(Secret::new(token)) } else { Err(self.malformed(otherwise)) }
    }
}

/// What the endpoint says, as long as it does not repeat what it was sent.
fn message(body: &Bytes, sent: &Sent) -> Option<String> {
    let clean = |text: &str| !sent.is_in(text);
    let body = Some(body).filter(|body| clean(&String::from_utf8_lossy(body)))?;
    let said = ErrorEntry::parse_all(body).first().map(|entry| entry.message.clone());
    let said = said.or_else(|| described(body)).or_else(|| readable(body))?;
    Some(said).filter(|said| clean(said)).map(|said| one_line(&said))
}

/// `{"error": "…", "error_description": "…"}` (RFC 6749, section 5.2), and `{"error": {"message": "…"}}`.
fn described(body: &Bytes) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    match (error.as_str(), body.get("error_description").and_then(Value::as_str)) {
        (Some(error), Some(description)) => Some(format!("{error}: {description}")),
        (Some(error), None) => Some(error.to_owned()),
        (None, _) => error.get("message").and_then(Value::as_str).map(ToOwned::to_owned),
    }
}

fn date(headers: &HeaderMap) -> Option<Duration> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step { doing: "asking", hint: "do better" };

    fn read(status: u16, body: &str) -> Result<Answer, Failure> {
        let url = Url::parse("https://a.io/token").unwrap();
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(DATE, http::HeaderValue::from_static("Thu, 01 Jan 1970 00:01:00 GMT"));
        Answer::read(&STEP, &url, &Sent::secret(&Secret::new("hunter2-and-more")), response)
    }

    #[test]
    fn numbers_may_be_texts() {
        for (body, seconds) in [
            (r#"{"expires_in":3599}"#, Some(3599)),
            (r#"{"expires_in":"3599"}"#, Some(3599)),
            (r#"{"expires_in":0}"#, None),
            (r#"{"expires_in":-5}"#, None),
            (r#"{"expires_in":"soon"}"#, None),
            ("{}", None),
            ("[]", None),
            ("<html>", None),
        ] {
            let lifetime = read(200, body).unwrap().lifetime("expires_in").ok();
            assert_eq!(lifetime, seconds.map(Duration::from_secs), "{body}");
        }
    }

    #[test]
    fn tokens_are_fit_for_headers() {
        for (body, token) in [
            (r#"{"access_token":"ya29.x-_~+/="}"#, Some("ya29.x-_~+/=")),
            (r#"{"access_token":""}"#, None),
            (r#"{"access_token":"a b"}"#, None),
            (r#"{"access_token":"a\r\nX: y"}"#, None),
            (r#"{"access_token":7}"#, None),
            (r#"{"token":"x"}"#, None),
        ] {
            let answer = read(200, body).unwrap().token("access_token");
            assert_eq!(answer.ok().as_ref().map(Secret::expose), token, "{body}");
        }
        assert_eq!(read(200, " a.b.c\n").unwrap().text().unwrap().expose(), "a.b.c");
        assert!(read(200, "a b").unwrap().text().is_err());
    }

    #[test]
    fn refusals_are_told_in_the_endpoint_s_words_and_passing_trouble_is_no_refusal() {
        for (status, body, said) in [
            (400, r#"{"error":"invalid_grant","error_description":"Bad key"}"#, ": invalid_grant: Bad key; do better"),
            (
                403,
                r#"{"error":{"code":403,"message":"No right","status":"PERMISSION_DENIED"}}"#,
                ": No right; do better",
            ),
            (401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"who?"}]}"#, ": who?; do better"),
            (404, "", "; do better"),
            (400, r#"{"error":"wrong hunter2-and-more"}"#, "; do better"),
            (302, "", ""),
            (429, "busy", ": busy"),
            (503, "<html><title>Sorry</title></html>", ": Sorry"),
        ] {
            let failure = read(status, body).err().unwrap();
            let text = failure.error.to_string();
            assert!(text.starts_with(&format!("asking at a.io failed: it answered {status}")), "{text}");
            assert!(text.ends_with(said) && !text.contains("hunter2"), "{text}");
            assert_eq!(failure.is_refusal, said.ends_with("better"), "{text}");
            assert_eq!(failure.their_time, Some(Duration::from_secs(60)));
        }
    }
}
