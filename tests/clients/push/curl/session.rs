//! One upload session, as a client follows it from `Location` to `Location`.

use std::fs;

use super::{OCTETS, bare, location, send};
use crate::curl::{Reply, curl, fetch};
use crate::image::digest_of;
use crate::push::held::blob;
use crate::scene::Scene;

/// A session, and where its next request goes.
pub(crate) struct Session<'a> {
    scene: &'a Scene,
    /// As the registry calls it.
    repository: &'a str,
    pub(crate) url: String,
}

impl<'a> Session<'a> {
    /// `name` is the repository in the URL of regpass.
    pub(crate) async fn open(scene: &'a Scene, name: &str, repository: &'a str) -> Self {
        let reply = bare(scene, "POST", &scene.regpass.url(&format!("/v2/{name}/blobs/uploads/"))).await;
        Self::opened(scene, repository, &reply)
    }

    /// The session that an answer opened.
    pub(crate) fn opened(scene: &'a Scene, repository: &'a str, reply: &Reply) -> Self {
        assert_eq!(reply.status, 202, "{}", reply.text());
        assert_eq!(reply.header("range"), Some("0-0"));
        Self { scene, repository, url: location(scene, reply) }
    }

    /// One PATCH, of known length.
    pub(crate) async fn patch(&mut self, headers: &[&str], bytes: &[u8]) {
        let headers = [&[OCTETS], headers].concat();
        let reply = send(self.scene, "PATCH", &self.url, &headers, bytes).await;
        self.accepted(&reply);
    }

    /// One PATCH or PUT in chunked transfer encoding, from a pipe of whose length curl knows nothing.
    pub(crate) async fn stream(&self, method: &str, url: &str, bytes: &[u8]) -> Reply {
        let file = self.scene.home().join("stream");
        fs::write(&file, bytes).expect("the body");
        let mut curl = curl(self.scene);
        curl.args(["--request", method, "--header", OCTETS, "--header", "Transfer-Encoding: chunked"]);
        fetch(curl.arg("--upload-file").arg(file).arg(url)).await
    }

    /// Follows the answer to a PATCH.
    pub(crate) fn accepted(&mut self, reply: &Reply) {
        assert_eq!(reply.status, 202, "{}", reply.text());
        self.url = location(self.scene, reply);
    }

    /// The PUT that ends the session, with the rest of the bytes; `whole` is the blob.
    pub(crate) async fn finish(self, rest: &[u8], whole: &[u8]) {
        let reply = send(self.scene, "PUT", &self.last(&digest_of(whole)), &[OCTETS], rest).await;
        self.finished(&reply, whole).await;
    }

    /// Checks the answer to that PUT.
    pub(crate) async fn finished(self, reply: &Reply, whole: &[u8]) {
        finished(self.scene, self.repository, reply, whole).await;
    }

    /// The URL of the PUT that ends the session.
    pub(crate) fn last(&self, digest: &str) -> String {
        let mark = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{mark}digest={digest}", self.url)
    }
}

/// What the answer says is true, by regpass and by the registry itself: the blob is there.
pub(crate) async fn finished(scene: &Scene, repository: &str, reply: &Reply, whole: &[u8]) {
    let digest = digest_of(whole);
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
    let shown = fetch(curl(scene).arg(location(scene, reply))).await;
    assert_eq!((shown.status, digest_of(&shown.body)), (200, digest.clone()), "what Location points to");
    assert_eq!(blob(&scene.registry, repository, &digest).await, whole);
}
