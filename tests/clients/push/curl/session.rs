//! One upload session, which a client follows from `Location` to `Location`.

use std::fs;

use super::{OCTET_STREAM, location, send, send_empty, with_digest};
use crate::curl::{Reply, curl, fetch};
use crate::image::digest_of;
use crate::push::stored_image::stored_blob;
use crate::stack::Stack;

pub(crate) struct UploadSession<'a> {
    stack: &'a Stack,
    /// The registry's own name of the repository.
    repository: &'a str,
    /// The URL of the next request.
    pub(crate) url: String,
}

impl<'a> UploadSession<'a> {
    /// Opens a session. `name` is the repository in the URL of regpass.
    pub(crate) async fn open(stack: &'a Stack, name: &str, repository: &'a str) -> Self {
        let reply = send_empty(stack, "POST", &stack.regpass.url(&format!("/v2/{name}/blobs/uploads/"))).await;
        Self::from_reply(stack, repository, &reply)
    }

    /// The session that this response opened.
    pub(crate) fn from_reply(stack: &'a Stack, repository: &'a str, reply: &Reply) -> Self {
        assert_eq!(reply.status, 202, "{}", reply.text());
        assert_eq!(reply.header("range"), Some("0-0"));
        Self { stack, repository, url: location(stack, reply) }
    }

    /// Sends a PATCH of known length.
    pub(crate) async fn patch(&mut self, headers: &[&str], bytes: &[u8]) {
        let headers = [&[OCTET_STREAM], headers].concat();
        let reply = send(self.stack, "PATCH", &self.url, &headers, bytes).await;
        self.follow(&reply);
    }

    /// Sends a PATCH or PUT in chunked transfer encoding, without a length.
    pub(crate) async fn stream(&self, method: &str, url: &str, bytes: &[u8]) -> Reply {
        let file = self.stack.home().join("stream");
        fs::write(&file, bytes).expect("the body is written");
        let mut curl = curl(self.stack.home());
        curl.args(["--request", method, "--header", OCTET_STREAM, "--header", "Transfer-Encoding: chunked"]);
        fetch(curl.arg("--upload-file").arg(file).arg(url)).await
    }

    /// Continues at the `Location` of the response to a PATCH.
    pub(crate) fn follow(&mut self, reply: &Reply) {
        assert_eq!(reply.status, 202, "{}", reply.text());
        self.url = location(self.stack, reply);
    }

    /// Finishes the session with a PUT that carries the remaining bytes of `blob`.
    pub(crate) async fn finish(self, remaining: &[u8], blob: &[u8]) {
        let reply = send(self.stack, "PUT", &self.finish_url(&digest_of(blob)), &[OCTET_STREAM], remaining).await;
        self.assert_finished(&reply, blob).await;
    }

    /// Checks the response to the PUT that finishes the session.
    pub(crate) async fn assert_finished(self, reply: &Reply, blob: &[u8]) {
        assert_finished(self.stack, self.repository, reply, blob).await;
    }

    /// The URL of the PUT that finishes the session.
    pub(crate) fn finish_url(&self, digest: &str) -> String {
        with_digest(&self.url, digest)
    }
}

/// Checks the response to a finished upload, and that both regpass and the registry itself serve the blob.
pub(crate) async fn assert_finished(stack: &Stack, repository: &str, reply: &Reply, blob: &[u8]) {
    let digest = digest_of(blob);
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
    let served = fetch(curl(stack.home()).arg(location(stack, reply))).await;
    assert_eq!((served.status, digest_of(&served.body)), (200, digest.clone()), "the blob at the Location");
    assert_eq!(stored_blob(&stack.registry, repository, &digest).await, blob);
}
