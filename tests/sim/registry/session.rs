//! One upload session: what has arrived, and the addresses it was given.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::super::content::{Blob, hex};
use super::super::preset::{Locations, Push};
use super::super::query;
use super::Origins;

pub(super) struct Session {
    pub(super) name: String,
    id: String,
    content: Content,
    /// Bytes received, also those that a later PATCH replaced.
    received: u64,
    pub(super) patches: u64,
    /// The end of the first chunk.
    first_end: Option<u64>,
    /// Queries of the Locations so far, as pairs; the last one is in force.
    issued: Vec<Vec<(String, String)>>,
}

struct Content {
    hasher: Sha256,
    len: u64,
    /// `None` where bodies are not kept.
    bytes: Option<BytesMut>,
}

impl Content {
    fn new(keep: bool) -> Self {
        Self { hasher: Sha256::new(), len: 0, bytes: keep.then(BytesMut::new) }
    }
}

impl Session {
    pub(super) fn new(name: &str, id: &str, push: &Push) -> Self {
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            content: Content::new(push.keep_blobs),
            received: 0,
            patches: 0,
            first_end: None,
            issued: Vec::new(),
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.content.hasher.update(piece);
        self.content.len += piece.len() as u64;
        self.received += piece.len() as u64;
        if let Some(bytes) = &mut self.content.bytes {
            bytes.extend_from_slice(piece);
        }
    }

    /// A PATCH begins.
    pub(super) fn begin_patch(&mut self, replace: bool) {
        self.patches += 1;
        if replace {
            self.content = Content::new(self.content.bytes.is_some());
        }
    }

    pub(super) fn end_patch(&mut self) {
        self.first_end.get_or_insert(self.received);
    }

    pub(super) fn finish(self) -> Blob {
        let digest = format!("sha256:{}", hex(&self.content.hasher.finalize()));
        match self.content.bytes {
            Some(bytes) => Blob::hashed(bytes.freeze(), digest),
            None => Blob::discarded(self.content.len, digest),
        }
    }

    /// `0-END` of what has arrived; `0-0` also when nothing has (distribution does so).
    pub(super) fn range(&self, stuck: bool) -> String {
        let end = self.first_end.filter(|_| stuck).unwrap_or(self.received);
        format!("0-{}", end.saturating_sub(1))
    }

    /// Where the session goes on; from now on only there.
    pub(super) fn location(&mut self, push: &Push, origins: &Origins) -> String {
        let (name, id) = (self.name.clone(), self.id.clone());
        self.issued.push(self.parameters(push));
        let parameters = self.issued.last().into_iter().flatten();
        let encoded: Vec<String> = parameters.map(|(key, value)| format!("{key}={}", query::encode(value))).collect();
        let query = if encoded.is_empty() { String::new() } else { format!("?{}", encoded.join("&")) };
        let path = format!("/v2/{name}/blobs/uploads/{id}{query}");
        match push.locations {
            Locations::AbsoluteWithState => format!("{}{path}", origins.registry),
            Locations::RelativeWithState => path,
            Locations::RelativeTrailing => format!("{path}&"),
            Locations::PathRelative => format!("../uploads/{id}{query}"),
            Locations::SchemeRelative => format!("//{}{path}", origins.registry_authority()),
            Locations::Singular => format!("/v2/{name}/blobs/upload/{id}{query}"),
            Locations::Outside => {
                let mut parts = name.splitn(3, '/');
                let (project, repository) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                format!("/artifacts-uploads/namespaces/{project}/repositories/{repository}/uploads/{id}{query}")
            }
            Locations::OtherHost => format!("{}{path}", origins.uploads),
        }
    }

    fn parameters(&self, push: &Push) -> Vec<(String, String)> {
        let mut parameters: Vec<_> =
            push.parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if push.locations == Locations::OtherHost {
            parameters.push(("signature".to_owned(), self.seal("signature")));
        }
        if !matches!(push.locations, Locations::Singular | Locations::Outside) {
            parameters.push(("_state".to_owned(), self.seal(&self.received.to_string())));
        }
        parameters
    }

    /// Bound to name, session and purpose, and in need of encoding (it ends with `=`), as distribution's state is.
    fn seal(&self, purpose: &str) -> String {
        let text = format!("the registry's key {} {} {purpose}", self.name, self.id);
        BASE64_URL_SAFE.encode(Sha256::digest(text.as_bytes()))
    }

    /// Whether a request's query is that of the Location in force, with nothing but a digest behind it. Questions about
    /// the session may come by older Locations: after a broken transfer a client has no other.
    pub(super) fn knows(&self, query: &str, digest_allowed: bool, also_old: bool) -> bool {
        let mut came = query::pairs(query);
        if digest_allowed && came.last().is_some_and(|(key, _)| key == "digest") {
            came.pop();
        }
        if also_old { self.issued.contains(&came) } else { self.issued.last() == Some(&came) && self.is_current(&came) }
    }

    /// The state tells how much had arrived when it was issued.
    fn is_current(&self, came: &[(String, String)]) -> bool {
        let state = came.iter().find(|(key, _)| key == "_state");
        state.is_none_or(|(_, state)| *state == self.seal(&self.received.to_string()))
    }
}
