//! Requests to one repository, as the conformance tests send them.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Verdict;
use crate::sim::sha256;

pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A repository of a registry, or of regpass.
#[derive(Clone, Debug)]
pub(super) struct Api {
    address: SocketAddr,
    pub(super) repository: String,
    authorization: Option<String>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Api {
    pub(super) fn new(address: SocketAddr, repository: &str, login: Option<(&str, &str)>) -> Self {
        let basic = |(user, password)| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        Self { address, repository: repository.to_owned(), authorization: login.map(basic) }
    }

    /// Another repository of the same registry.
    pub(super) fn neighbor(&self, name: &str) -> Self {
        Self { repository: format!("{}-{name}", self.repository), ..self.clone() }
    }

    /// Sends a request to a path below the repository, or to a Location, relative or absolute.
    pub(super) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let host = self.address.to_string();
        let absolute =
            target.split_once("://").map(|(_, rest)| rest.split_once('/').map_or("/", |(at, _)| &rest[at.len()..]));
        let target = match absolute {
            Some(path) => path.to_owned(),
            None if target.starts_with('/') => target.to_owned(),
            None => format!("/v2/{}/{target}", self.repository),
        };
        let mut request = Request::builder().method(method).uri(target).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Full::new(body.into())).expect("a valid request");
        let stream = TcpStream::connect(self.address).await.expect("an open port");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.expect("a response").into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    pub(super) async fn head(&self, target: &str) -> Answer {
        self.send("HEAD", target, &[], "").await
    }

    /// Begins an upload and returns its Location.
    pub(super) async fn begin_upload(&self) -> Result<String, String> {
        let answer = self.send("POST", "blobs/uploads/", &[], "").await;
        answer.expect_status(&[202])?;
        answer.header("location").ok_or_else(|| "no Location".to_owned())
    }

    /// Uploads a blob by POST and PUT, and returns its digest.
    pub(super) async fn push_blob(&self, content: &str) -> Result<String, String> {
        let digest = sha256(content.as_bytes());
        let location = self.begin_upload().await?;
        let answer = self.send("PUT", &with_digest(&location, &digest), &OCTETS, content.to_owned()).await;
        answer.expect_status(&[201])?;
        Ok(digest)
    }

    /// Pushes an image with its blobs under `tag`, and returns its manifest.
    pub(super) async fn push_image(&self, tag: &str) -> Result<String, String> {
        let manifest = self.manifest(tag).await?;
        let answer =
            self.send("PUT", &format!("manifests/{tag}"), &[("content-type", MANIFEST_TYPE)], manifest.clone()).await;
        answer.expect_status(&[201])?;
        Ok(manifest)
    }

    /// The manifest of an image whose blobs are in the repository.
    pub(super) async fn manifest(&self, layer: &str) -> Result<String, String> {
        let (config, digest) = (self.push_blob("{}").await?, self.push_blob(layer).await?);
        let layer_type = "application/vnd.oci.image.layer.v1.tar";
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2 },
            "layers": [{ "mediaType": layer_type, "digest": digest, "size": layer.len() }],
        });
        Ok(document.to_string())
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
    }

    pub(super) fn expect_status(&self, allowed: &[u16]) -> Verdict {
        if allowed.contains(&self.status) { Ok(()) } else { Err(format!("{} instead of {allowed:?}", self.status)) }
    }

    pub(super) fn expect_header(&self, name: &str, value: &str) -> Verdict {
        let found = self.header(name);
        if found.as_deref() == Some(value) { Ok(()) } else { Err(format!("{name}: {found:?} instead of {value}")) }
    }

    pub(super) fn expect_body(&self, body: &str) -> Verdict {
        if self.body == body { Ok(()) } else { Err(format!("{} other bytes", self.body.len())) }
    }

    /// The body as JSON; `null` if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the body is an error document with one of these codes.
    pub(super) fn expect_code(&self, codes: &[&str]) -> Verdict {
        let document = self.json();
        let code = document["errors"][0]["code"].as_str().unwrap_or_default();
        if codes.contains(&code) { Ok(()) } else { Err(format!("the code {code:?} instead of {codes:?}")) }
    }
}

pub(super) const OCTETS: [(&str, &str); 1] = [("content-type", "application/octet-stream")];

/// A Location with the digest that ends the upload.
pub(super) fn with_digest(location: &str, digest: &str) -> String {
    format!("{location}{}digest={digest}", if location.contains('?') { '&' } else { '?' })
}
