//! Error responses: the codes and the JSON body of the distribution specification ("Error Codes"), and readable text
//! from bodies in other formats.

use http::StatusCode;
use serde_json::Value;

/// The error codes of regpass's own error responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    RangeInvalid,
    SizeInvalid,
    TooManyRequests,
    Unauthorized,
    /// Not in the specification: distribution sends it while a service is temporarily down.
    Unavailable,
    Unknown,
    Unsupported,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    /// The code for an error with this status, when the server's response names none.
    pub fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Denied,
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Self::Unsupported,
            StatusCode::PAYLOAD_TOO_LARGE => Self::SizeInvalid,
            StatusCode::RANGE_NOT_SATISFIABLE => Self::RangeInvalid,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            status if status.is_server_error() => Self::Unavailable,
            _ => Self::Unknown,
        }
    }
}

/// Whether the distribution specification defines this code, so that clients may act on it.
pub fn is_specified_code(code: &str) -> bool {
    const CODES: [&str; 14] = [
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DENIED",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNSUPPORTED",
    ];
    CODES.contains(&code)
}

/// One entry of the `errors` array, as the registry sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorEntry {
    pub code: String,
    pub message: String,
    pub detail: Value,
}

impl ErrorEntry {
    /// The entries that have a code, specified or not. Empty when the body is not in the specification's format.
    pub fn parse_all(body: &[u8]) -> Vec<Self> {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
        let errors = body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let entry = |error: &Value| {
            let text = |key| error.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
            let code = text("code").filter(|code| !code.is_empty())?;
            let detail = error.get("detail").cloned().unwrap_or(Value::Null);
            Some(Self { code, message: text("message").unwrap_or_default(), detail })
        };
        errors.iter().filter_map(entry).collect()
    }
}

/// The message of an error body in another format: `message`, `details` or similar of a JSON object, or plain text
/// without markup, as by [`one_line`]. `None` when there is no text.
pub fn readable_message(body: &[u8]) -> Option<String> {
    if let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(body) {
        let text = ["message", "details", "detail", "error_description", "error"];
        let found = text.into_iter().find_map(|key| object.get(key).and_then(Value::as_str));
        return found.map(one_line).filter(|text| !text.is_empty());
    }
    let text = String::from_utf8_lossy(body);
    let text = if text.trim_start().starts_with('<') { without_markup(&text) } else { text.into_owned() };
    Some(one_line(&text)).filter(|text| !text.is_empty())
}

fn without_markup(text: &str) -> String {
    let title = text.find("<title>").and_then(|from| Some((from + 7, text[from..].find("</title>")? + from)));
    if let Some((from, to)) = title {
        return text[from..to].to_owned();
    }
    let mut plain = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                plain.push(' ');
            }
            _ if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// Reduces a text from a server or client to one line of at most 300 characters.
pub fn one_line(text: &str) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    let words = text.split(is_gap).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_LINE_CHARS).collect()
}

const MAX_LINE_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_with_any_code_are_parsed() {
        let body = br#"{"errors":[{"code":"TOO_MANY_REQUEST","message":"m","detail":{"Tag":"x"}},{"code":""},{"message":"m"},7]}"#;
        let entries = ErrorEntry::parse_all(body);
        assert_eq!(entries.len(), 1);
        assert_eq!(
            entries[0],
            ErrorEntry { code: "TOO_MANY_REQUEST".to_owned(), message: "m".to_owned(), detail: json!({"Tag":"x"}) }
        );
        for other in ["", "<html>", r#"{"details":"x"}"#, r#"{"errors":{}}"#, "[]", "true"] {
            assert!(ErrorEntry::parse_all(other.as_bytes()).is_empty(), "{other}");
        }
    }

    #[test]
    fn message_is_found_in_bodies_of_other_formats() {
        for (body, words) in [
            (r#"{"details":"unknown resource type"}"#, Some("unknown resource type")),
            (
                r#"{"message":"You have exceeded a secondary rate limit"}"#,
                Some("You have exceeded a secondary rate limit"),
            ),
            ("Not Authorized\n", Some("Not Authorized")),
            (
                "<html><head><title>503 Service\n Unavailable</title></head><body>x</body></html>",
                Some("503 Service Unavailable"),
            ),
            ("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", Some("AccessDenied")),
            ("", None),
            ("{}", None),
            ("<br/>", None),
        ] {
            assert_eq!(readable_message(body.as_bytes()).as_deref(), words, "{body}");
        }
        assert_eq!(readable_message("x".repeat(9999).as_bytes()).map(|line| line.len()), Some(MAX_LINE_CHARS));
    }
}
