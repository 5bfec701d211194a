//! Tests of the simulators, on whose behaviour all other tests rely. Requests are raw HTTP, each on its own connection.

mod aws;
mod blobs;
mod bodies;
mod capabilities;
mod challenges;
mod faults;
mod limits;
mod listings;
mod literal_replies;
mod locations;
mod mounts;
mod relay;
mod sessions;
mod tokens;
mod writes;

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::harness::Reply;
use crate::sim::{Policy, Preset, Registry, Sim};

const NAME: &str = "acme/app/web";
const UPLOADS: &str = "/v2/acme/app/web/blobs/uploads/";
const STREAM: &str = "content-type: application/octet-stream";

/// A registry in memory, without regpass in front of it.
struct TestBench {
    sim: Sim,
    registry: Registry,
}

impl TestBench {
    async fn start(preset: Preset) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(preset).await;
        Self { sim, registry }
    }

    /// A registry that allows everything without a credential.
    async fn open(mut preset: Preset) -> Self {
        preset.access.open_to_all = true;
        preset.policy = Policy::Everyone;
        Self::start(preset).await
    }

    /// Sends a request; `target` is a URL or a path of the registry.
    async fn send(&self, method: &str, target: &str, lines: &[&str], body: &[u8]) -> Reply {
        self.try_send(method, target, lines, body).await.expect("the server replies")
    }

    /// Sends a request; `None` when the connection ends without a reply.
    async fn try_send(&self, method: &str, target: &str, lines: &[&str], body: &[u8]) -> Option<Reply> {
        let (host, path) = self.split(target);
        let length = format!("content-length: {}", body.len());
        let lines: Vec<&str> = if lines.contains(&CHUNKED) { lines.to_vec() } else { [lines, &[&length]].concat() };
        let body = if lines.contains(&CHUNKED) { chunks(body) } else { body.to_vec() };
        let stream = self.sim.network().connect(host, 80).unwrap();
        exchange(stream, &[head(method, host, path, &lines).into_bytes(), body].concat()).await
    }

    /// The host and the path of a target.
    fn split<'a>(&'a self, target: &'a str) -> (&'a str, &'a str) {
        match target.strip_prefix("http:").unwrap_or(target).strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap()),
            None => (self.registry.authority(), target),
        }
    }

    /// An `authorization` line with a token for `scope`, of a user or anonymous.
    async fn bearer(&self, scope: &str, credential: Option<(&str, &str)>) -> String {
        let preset = self.registry.preset();
        let service = preset.tokens.service.clone().unwrap_or_else(|| self.registry.authority().to_owned());
        let parameters: Vec<String> = [("service", &*service), ("scope", scope)]
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={}", value.replace(' ', "+")))
            .collect();
        let target =
            format!("{}{}?{}", self.registry.token_service().origin(), preset.tokens.path, parameters.join("&"));
        let line = credential.map(|(user, password)| basic(user, password));
        let reply = self.send("GET", &target, &line.as_deref().into_iter().collect::<Vec<_>>(), b"").await;
        assert_eq!(reply.status, 200, "{target} {reply:?}");
        let document = reply.json();
        let tokens = ["token", "access_token"].map(|key| document[key].as_str().unwrap_or_default().to_owned());
        format!("authorization: Bearer {}", tokens.iter().find(|token| !token.is_empty()).unwrap())
    }

    /// Opens an upload session; returns its URL.
    async fn open_session(&self) -> String {
        let reply = self.send("POST", UPLOADS, &[], b"").await;
        assert_eq!(reply.status, 202, "{reply:?}");
        resolve(UPLOADS, &reply)
    }

    /// The bytes of a stored blob.
    fn stored_blob(&self, digest: &str) -> Option<Bytes> {
        let blob = self.registry.store().read(NAME, |repository| repository.blobs.get(digest).cloned());
        blob.flatten().map(|blob| blob.slice().to_bytes())
    }
}

const CHUNKED: &str = "transfer-encoding: chunked";

fn head(method: &str, host: &str, path: &str, lines: &[&str]) -> String {
    let first = [format!("{method} {path} HTTP/1.1"), format!("host: {host}"), "user-agent: test".to_owned()];
    let all: Vec<&str> = first.iter().map(String::as_str).chain(lines.iter().copied()).collect();
    format!("{}\r\n\r\n", all.join("\r\n"))
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let size = format!("{:x}\r\n", body.len());
    if body.is_empty() { b"0\r\n\r\n".to_vec() } else { [size.as_bytes(), body, b"\r\n0\r\n\r\n"].concat() }
}

/// Sends a request and reads the reply at the same time, because a server may reply early.
async fn exchange(stream: impl AsyncRead + AsyncWrite, request: &[u8]) -> Option<Reply> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let write = async { drop(writing.write_all(request).await) };
    let both = async { tokio::join!(write, read_reply_to(request, &mut reading)).1 };
    timeout(Duration::from_secs(120), both).await.expect("the exchange ends within 120 s")
}

/// Reads the next reply on a connection: a final one, or a 100.
async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    read_reply_to(b"", stream).await
}

/// Reads the reply to `request`, whose method decides whether the reply has a body: not after a HEAD.
async fn read_reply_to(request: &[u8], stream: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.trim().parse().unwrap());
    }
    let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    let mut body = vec![0; if request.starts_with(b"HEAD ") { 0 } else { length }];
    let complete = stream.read_exact(&mut body).await.is_ok();
    Some(Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into(), complete })
}

/// The `Location` of a reply, resolved against the path of its request.
fn resolve(path: &str, reply: &Reply) -> String {
    let location = reply.header("location").unwrap_or_else(|| panic!("no Location: {reply:?}"));
    if location.starts_with("http:") || location.starts_with('/') {
        return location.to_owned();
    }
    let path = path.split('?').next().unwrap();
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    let mut rest = location;
    while let Some(shorter) = rest.strip_prefix("../") {
        folders.pop();
        rest = shorter;
    }
    format!("{}/{rest}", folders.join("/"))
}

/// The location with `digest=` added to its query.
fn with_digest(location: &str, digest: &str) -> String {
    let joint = match location.split_once('?') {
        None => "?",
        Some((_, query)) if query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{location}{joint}digest={digest}")
}

/// The status, and the code of the error document if there is one: `404 BLOB_UNKNOWN`.
fn status_and_code(reply: &Reply) -> String {
    let document: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = document["errors"][0]["code"].as_str().map_or(String::new(), |code| format!(" {code}"));
    format!("{}{code}", reply.status.as_u16())
}

/// An `authorization` line with Basic.
fn basic(user: &str, password: &str) -> String {
    format!("authorization: Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}
