//! curl: every request of the upload protocol, one by one.

mod chunks;
mod deletes;
mod manifests;
mod mounts;
mod restart;
mod session;
mod uploads;

use std::fs;

use serde_json::Value;

use crate::curl::{Reply, curl, fetch};
use crate::scene::Scene;

/// What a body of unknown type is; without this curl says it is a form.
const OCTETS: &str = "Content-Type: application/octet-stream";

/// A request without a body.
async fn bare(scene: &Scene, method: &str, url: &str) -> Reply {
    // Without a length a POST is no valid request for some registries.
    fetch(curl(scene).args(["--request", method, "--header", "Content-Length: 0", url])).await
}

/// A request with a body of known length.
async fn send(scene: &Scene, method: &str, url: &str, headers: &[&str], body: &[u8]) -> Reply {
    let file = scene.home().join("body");
    fs::write(&file, body).expect("the body");
    let mut curl = curl(scene);
    curl.args(headers.iter().flat_map(|header| ["--header", header]));
    curl.args(["--request", method, "--data-binary"]).arg(format!("@{}", file.display()));
    fetch(curl.arg(url)).await
}

/// The absolute URL of what the answer points to, which must be a place on regpass.
fn location(scene: &Scene, reply: &Reply) -> String {
    let location = reply.header("location").unwrap_or_else(|| panic!("no Location, {} {}", reply.status, reply.text()));
    assert!(location.starts_with("/v2/"), "not a path on regpass: {location}");
    scene.regpass.url(location)
}

/// The code of an error.
fn code(reply: &Reply) -> String {
    let error: Value = serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("no error: {}", reply.text()));
    error["errors"][0]["code"].as_str().expect("a code").to_owned()
}
