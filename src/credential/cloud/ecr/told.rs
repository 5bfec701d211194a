//! What the services say when they refuse, in JSON or in XML.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use crate::base::sent::Sent;
use crate::oci::error::one_line;

/// `: Code: message`, as far as the answer tells and does not repeat what it was sent.
pub(super) fn said(body: &Bytes, sent: &Sent) -> String {
    let text = String::from_utf8_lossy(body);
    if sent.is_in(&text) {
        return String::new();
    }
    let (code, message) = json(body).unwrap_or_else(|| {
        let element = |name| element(&text, name).unwrap_or_default().to_owned();
        (element("Code"), element("Message"))
    });
    let shown = [code, message].into_iter().filter(|part| !part.is_empty() && !sent.is_in(part));
    shown.fold(String::new(), |said, part| said + ": " + &one_line(&part))
}

/// Asked again it would say so again.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 429)
}

/// The text of the first element of this name. What these services write has neither attributes nor nesting there.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
}

/// The type may have a name space in front, the message begins with either letter.
fn json(body: &Bytes) -> Option<(String, String)> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| document.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let code = text("__type").or_else(|| text("code")).or_else(|| text("Code")).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    Some((code, text("message").or_else(|| text("Message")).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    #[test]
    fn code_and_message_are_read_in_either_form() {
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
            let sent = Sent::secret(&Secret::new("hunter2"));
            assert_eq!(said(&Bytes::from_static(body.as_bytes()), &sent), expected, "{body}");
        }
    }
}
