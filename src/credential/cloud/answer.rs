//! The responses of cloud endpoints: tokens and lifetimes from a success, the endpoint's message from an error.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::failure::{Failure, Step};
use crate::base::origin::Url;
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::oci::error::{ErrorEntry, one_line, readable_message};

/// The body of a cloud endpoint's 200 response.
pub(super) struct Answer {
    step: &'static Step,
    host: String,
    body: Bytes,
}

impl Answer {
    /// Accepts status 200. Any other status becomes a failure with the endpoint's own message.
    pub(super) fn read(
        step: &'static Step,
        url: &Url,
        redaction: &Redaction,
        response: Response<Bytes>,
    ) -> Result<Self, Failure> {
        let host = url.origin.authority();
        let (head, body) = response.into_parts();
        if head.status == StatusCode::OK {
            return Ok(Self { step, host, body });
        }
        let message = error_text(&body, redaction).map(|message| format!(": {message}")).unwrap_or_default();
        let why = format!("it answered {}{message}", head.status);
        let failure = if is_denial(head.status) { step.denied(&host, why) } else { step.failed(&host, why) };
        Err(Failure { server_time: date(&head.headers), ..failure })
    }

    /// The whole body as a token.
    pub(super) fn text(&self) -> Result<Secret, Failure> {
        let text = str::from_utf8(&self.body).map(str::trim).unwrap_or_default();
        self.checked_token(text, "its response is not a token")
    }

    /// A member of the JSON object as a token.
    pub(super) fn token(&self, member: &str) -> Result<Secret, Failure> {
        let members = self.members()?;
        match members.get(member).and_then(Value::as_str) {
            Some(token) => self.checked_token(token, &format!("its `{member}` is not a token")),
            None => Err(self.malformed(&format!("its response has no `{member}`"))),
        }
    }

    /// A member of the JSON object as a lifetime in seconds, which some endpoints write as a string.
    pub(super) fn lifetime(&self, member: &str) -> Result<Duration, Failure> {
        let seconds = match self.members()?.get(member) {
            Some(Value::Number(seconds)) => seconds.as_u64(),
            Some(Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        match seconds.filter(|seconds| *seconds > 0) {
            Some(seconds) => Ok(Duration::from_secs(seconds)),
            None => Err(self.malformed(&format!("its `{member}` is not a positive number of seconds"))),
        }
    }

    /// The failure for a 200 response with unusable content.
    pub(super) fn malformed(&self, why: &str) -> Failure {
        self.step.failed(&self.host, why)
    }

    fn members(&self) -> Result<Map<String, Value>, Failure> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(members)) => Ok(members),
            _ => Err(self.malformed("its response is not a JSON object")),
        }
    }

    /// Accepts only visible ASCII characters, because the token goes into headers and forms.
    fn checked_token(&self, token: &str, problem: &str) -> Result<Secret, Failure> {
        let is_valid = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Secret::new(token)) } else { Err(self.malformed(problem)) }
    }
}

/// Whether the endpoint denied the request, so that a retry would be denied as well.
pub(super) fn is_denial(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 410 | 429)
}

/// The `Date` of a response, as the time since 1970.
pub(super) fn date(headers: &HeaderMap) -> Option<Duration> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// The message of an error response, on one line. `None` without one, or if the response repeats a secret of the
/// request.
fn error_text(body: &Bytes, redaction: &Redaction) -> Option<String> {
    let body = Some(body).filter(|body| !redaction.leaks_in(body))?;
    let message = ErrorEntry::parse_all(body).first().map(|entry| entry.message.clone());
    let message = message.or_else(|| oauth_error(body)).or_else(|| readable_message(body))?;
    Some(message).filter(|message| !redaction.leaks_in(message)).map(|message| one_line(&message))
}

/// `{"error": "…", "error_description": "…"}` (RFC 6749, section 5.2), or `{"error": {"message": "…"}}`.
fn oauth_error(body: &Bytes) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    match (error.as_str(), body.get("error_description").and_then(Value::as_str)) {
        (Some(error), Some(description)) => Some(format!("{error}: {description}")),
        (Some(error), None) => Some(error.to_owned()),
        (None, _) => error.get("message").and_then(Value::as_str).map(ToOwned::to_owned),
    }
}

/// `: Code: message` of an AWS error response in JSON or XML. Leaves out what is missing or repeats a secret of the
/// request.
pub(super) fn aws_error_text(body: &Bytes, redaction: &Redaction) -> String {
    let text = String::from_utf8_lossy(body);
    if redaction.leaks_in(&*text) {
        return String::new();
    }
    let (code, message) = aws_json_error(body).unwrap_or_else(|| {
        let element = |name| xml_text(&text, name).unwrap_or_default().to_owned();
        (element("Code"), element("Message"))
    });
    let shown = [code, message].into_iter().filter(|part| !part.is_empty() && !redaction.leaks_in(part));
    shown.fold(String::new(), |text, part| text + ": " + &one_line(&part))
}

/// Code and message. The code may have a namespace before a `#`; some services write the keys with a capital letter.
fn aws_json_error(body: &Bytes) -> Option<(String, String)> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| document.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let code = text("__type").or_else(|| text("code")).or_else(|| text("Code")).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    Some((code, text("message").or_else(|| text("Message")).unwrap_or_default()))
}

/// The text of the first element of this name. AWS writes these elements without attributes and without nesting.
pub(super) fn xml_text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step::new("asking", "do better");

    fn read(status: u16, body: &str) -> Result<Answer, Failure> {
        let url = Url::parse("https://a.io/token").unwrap();
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(DATE, http::HeaderValue::from_static("Thu, 01 Jan 1970 00:01:00 GMT"));
        Answer::read(&STEP, &url, &Redaction::of_secret(&Secret::new("hunter2-and-more")), response)
    }

    #[test]
    fn lifetimes_are_numbers_or_strings() {
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
    fn tokens_consist_of_visible_ascii_characters() {
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
    fn errors_repeat_the_endpoints_message_and_only_denials_have_a_hint() {
        for (status, body, ending) in [
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
            assert!(text.ends_with(ending) && !text.contains("hunter2"), "{text}");
            assert_eq!(failure.is_denial, ending.ends_with("better"), "{text}");
            assert_eq!(failure.server_time, Some(Duration::from_secs(60)));
        }
    }

    #[test]
    fn aws_errors_are_read_from_json_and_xml() {
        for (body, expected) in [
            (r#"{"__type":"a.b#AccessDeniedException","Message":"no"}"#, ": AccessDeniedException: no"),
            (r#"{"__type":"UnknownOperationException"}"#, ": UnknownOperationException"),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\n<Message>not you</Message></Error></ErrorResponse>",
                ": AccessDenied: not you",
            ),
            ("<html>502</html>", ""),
            ("", ""),
            (r#"{"message":"you sent hunter2"}"#, ""),
        ] {
            let redaction = Redaction::of_secret(&Secret::new("hunter2"));
            assert_eq!(aws_error_text(&Bytes::from_static(body.as_bytes()), &redaction), expected, "{body}");
        }
    }
}
