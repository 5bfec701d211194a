//! curl sends every request of the upload protocol one by one.

mod chunks;
mod deletes;
mod manifests;
mod mounts;
mod session;
mod upload_keys;
mod uploads;

use std::fs;

use serde_json::Value;

use crate::curl::{Reply, curl, fetch};
use crate::stack::Stack;

/// The media type of a blob. By default curl sends that of a form.
const OCTET_STREAM: &str = "Content-Type: application/octet-stream";

/// Sends a request without a body.
async fn send_empty(stack: &Stack, method: &str, url: &str) -> Reply {
    // Some registries reject a POST without a length.
    fetch(curl(stack.home()).args(["--request", method, "--header", "Content-Length: 0", url])).await
}

/// Sends a request with a body of known length.
async fn send(stack: &Stack, method: &str, url: &str, headers: &[&str], body: &[u8]) -> Reply {
    let file = stack.home().join("body");
    fs::write(&file, body).expect("the body is written");
    let mut curl = curl(stack.home());
    curl.args(headers.iter().flat_map(|header| ["--header", header]));
    curl.args(["--request", method, "--data-binary"]).arg(format!("@{}", file.display()));
    fetch(curl.arg(url)).await
}

/// The absolute URL of the response's `Location`, which must be a path on regpass.
fn location(stack: &Stack, reply: &Reply) -> String {
    let location = reply.header("location").unwrap_or_else(|| panic!("no Location: {} {}", reply.status, reply.text()));
    assert!(location.starts_with("/v2/"), "not a path on regpass: {location}");
    stack.regpass.url(location)
}

/// Checks status and code of an error response.
#[track_caller]
fn assert_error(reply: &Reply, status: u16, code: &str, case: &str) {
    let error: Value = serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("not an error: {}", reply.text()));
    assert_eq!((reply.status, error["errors"][0]["code"].as_str()), (status, Some(code)), "{case}: {error}");
}

/// Adds the query parameter `digest` to the URL of an upload session.
pub(crate) fn with_digest(url: &str, digest: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}digest={digest}")
}
