//! A reply as a value: presets are written with literal replies, and faults alter them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::body::{BodyContext, Ending, SimBody};
use super::content::Slice;

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Slice,
    /// Sent in chunks, without Content-Length.
    pub chunked: bool,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status code has three digits");
        Self { status, headers: HeaderMap::new(), body: Slice::empty(), chunked: false }
    }

    /// Sets a header; an empty value removes it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a simulated header name is valid");
        match value.as_ref() {
            "" => self.headers.remove(name),
            value => {
                self.headers.insert(name, HeaderValue::from_str(value).expect("a simulated header value is valid"))
            }
        };
        self
    }

    /// Adds a line of a header that may be repeated.
    #[must_use]
    pub fn append_header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a simulated header name is valid");
        self.headers.append(name, HeaderValue::from_str(value).expect("a simulated header value is valid"));
        self
    }

    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Slice::whole_bytes(body.into());
        self.header("content-type", content_type)
    }

    /// A JSON body with a newline at its end: most registries are written in Go, whose encoder adds one, as the
    /// Content-Lengths of the transcripts confirm.
    #[must_use]
    pub fn json(self, document: impl std::fmt::Display) -> Self {
        self.body("application/json", format!("{document}\n"))
    }

    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.body("text/plain; charset=utf-8", text.to_owned())
    }

    #[must_use]
    pub fn html(self, text: &str) -> Self {
        self.body("text/html; charset=utf-8", text.to_owned())
    }

    #[must_use]
    pub fn xml(self, text: &str) -> Self {
        self.body("application/xml", text.to_owned())
    }

    #[must_use]
    pub fn slice(mut self, content_type: &str, slice: Slice) -> Self {
        self.body = slice;
        self.header("content-type", content_type)
    }

    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// An error document: `{"errors":[{"code","message"}]}`.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status).json(format_args!(r#"{{"errors":[{{"code":"{code}","message":{}}}]}}"#, Value::from(message)))
    }

    /// An error document with a `detail`, which is JSON and may be `null`.
    pub fn error_detail(status: u16, code: &str, message: &str, detail: &str) -> Self {
        let message = Value::from(message);
        Self::new(status)
            .json(format_args!(r#"{{"errors":[{{"code":"{code}","message":{message},"detail":{detail}}}]}}"#))
    }

    /// The 405 of CNCF Distribution.
    pub fn unsupported() -> Self {
        Self::error(405, "UNSUPPORTED", "The operation is unsupported.")
    }

    /// The 404 of Go's HTTP server, for a path without a handler.
    pub fn page_not_found() -> Self {
        Self::new(404).text("404 page not found\n")
    }

    /// The error page of an nginx in front of a registry. `title` is for example `401 Authorization Required`.
    pub fn nginx(status: u16, title: &str) -> Self {
        let page = [
            &format!("<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"),
            &format!("<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
        ];
        Self::new(status).body("text/html", page.map(String::as_str).concat())
    }

    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status).header("location", location)
    }

    pub(super) fn into_response(mut self, context: BodyContext, ending: Ending) -> Response<SimBody> {
        let bodyless = self.status == StatusCode::NO_CONTENT || self.status == StatusCode::NOT_MODIFIED;
        if !self.chunked && !bodyless {
            self.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(self.body.len()));
        }
        let mut response = Response::new(SimBody::new(self.body, self.chunked, context, ending));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
