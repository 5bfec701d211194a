//! The faults of the matrix.

use std::time::Duration;

use crate::sim::{Fault, Reply, Slice};

pub struct FaultKind {
    pub name: &'static str,
    pub make: fn() -> Fault,
}

const fn kind(name: &'static str, make: fn() -> Fault) -> FaultKind {
    FaultKind { name, make }
}

pub const FAULTS: &[FaultKind] = &[
    // Connections.
    kind("closes every connection", Fault::close_on_accept),
    kind("accepts and is silent", Fault::hang_on_accept),
    kind("reads the request and closes", Fault::close_before_head),
    kind("reads the request and is silent", Fault::hang_before_head),
    kind("closes after its reply", Fault::close_after_answer),
    kind("replies after 5 s", || Fault::delay(Duration::from_secs(5))),
    kind("replies after 31 s", || Fault::delay(Duration::from_secs(31))),
    // Bodies.
    kind("is silent after the head", Fault::hang_after_head),
    kind("is silent after one byte", || Fault::hang_mid_body(1)),
    kind("is silent after 40 kB", || Fault::hang_mid_body(40_000)),
    kind("closes after the head", || Fault::close_mid_body(0)),
    kind("closes after one byte", || Fault::close_mid_body(1)),
    kind("closes after 40 kB", || Fault::close_mid_body(40_000)),
    kind("resets after 40 kB", || Fault::reset_mid_body(40_000)),
    kind("ends the document early", || Fault::truncated(20)),
    kind("sends an empty document", || Fault::truncated(0)),
    kind("sends other bytes", || Fault::alter(other_bytes)),
    kind("sends one byte too many", || Fault::alter(longer)),
    kind("sends no length", Fault::without_length),
    kind("sends 9 MiB", || Fault::oversized(9 << 20)),
    kind("compresses unasked", Fault::gzip),
    // Headers.
    kind("names another digest", || Fault::with_header("docker-content-digest", OTHER_DIGEST)),
    kind("names no digest", || Fault::without_header("docker-content-digest")),
    kind("names no type", || Fault::without_header("content-type")),
    kind("says it is a page", || Fault::with_header("content-type", "text/html")),
    kind("sets a cookie", || Fault::with_header("set-cookie", "session=1")),
    kind("sends a long header", || Fault::alter(|_, reply| reply.header("x-long", "a".repeat(20_000)))),
    kind("sends 100 headers", || {
        Fault::alter(|_, reply| (0..100).fold(reply, |reply, n| reply.header(&format!("x-{n}"), "1")))
    }),
    kind("asks to wait for a day", || {
        Fault::answer(Reply::error(429, "TOOMANYREQUESTS", "wait").header("retry-after", "86400"))
    }),
    // Statuses.
    kind("204", || Fault::answer(Reply::new(204))),
    kind("206 unasked", || Fault::alter(|_, reply| Reply { status: http::StatusCode::PARTIAL_CONTENT, ..reply })),
    kind("304", || Fault::answer(Reply::new(304))),
    kind("400", || Fault::html(400)),
    kind("401 without a challenge", || Fault::text(401, "no")),
    kind("401 with a strange challenge", || Fault::challenge(&["Negotiate", "Bearer", "Bearer realm=\"\""])),
    kind("401 with a foreign realm", || Fault::challenge(&["Bearer realm=\"https://evil.test/token\",service=\"s\""])),
    kind("401 with an inner realm", || {
        Fault::challenge(&["Bearer realm=\"http://169.254.169.254/token\",service=\"s\""])
    }),
    kind("402", || Fault::text(402, "pay")),
    kind("403", || Fault::xml(403, "AccessDenied")),
    kind("404", || Fault::html(404)),
    kind("405", || Fault::text(405, "")),
    kind("407", || Fault::text(407, "proxy")),
    kind("413", || Fault::html(413)),
    kind("416", || Fault::text(416, "")),
    kind("418", || Fault::text(418, "teapot")),
    kind("429", || Fault::text(429, "slow down")),
    kind("500", || Fault::answer(Reply::error(500, "UNKNOWN", "broken"))),
    kind("502", || Fault::html(502)),
    kind("503", || Fault::html(503)),
    kind("504", || Fault::text(504, "")),
    kind("599", || Fault::text(599, "")),
    // Redirects.
    kind("redirects to itself", || Fault::redirect_to_itself(307)),
    kind("redirects without a target", || Fault::answer(Reply::new(307))),
    kind("redirects to the metadata service", || Fault::redirect(307, "http://169.254.169.254/latest/meta-data/")),
    kind("redirects to another scheme", || Fault::redirect(302, "file:///etc/passwd")),
    kind("redirects to an unknown host", || Fault::redirect(307, "http://gone.test/x")),
    kind("redirects to a page", || Fault::redirect(303, "/login")),
];

/// Of no content in the registry.
const OTHER_DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The reply with the last byte changed.
fn other_bytes(_: &crate::sim::Entry, mut reply: Reply) -> Reply {
    let mut bytes = reply.body.to_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last = last.wrapping_add(1);
    }
    reply.body = Slice::whole_bytes(bytes.into());
    reply
}

/// The reply with one more byte, correctly framed.
fn longer(_: &crate::sim::Entry, mut reply: Reply) -> Reply {
    let mut bytes = reply.body.to_bytes().to_vec();
    if bytes.is_empty() {
        return reply;
    }
    bytes.push(b'!');
    reply.body = Slice::whole_bytes(bytes.into());
    reply.without_header("content-length")
}
