//! An upload session: what the registry has received, and the Locations that it has sent to the client.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::super::content::{Blob, hex};
use super::super::preset::{Locations, PushRules};
use super::super::query;
use super::Origins;

pub(super) struct Session {
    pub(super) name: String,
    id: String,
    content: Content,
    /// Bytes received, including those that a later PATCH replaced.
    received: u64,
    /// How many PATCH requests have begun.
    pub(super) patches: u64,
    /// How many bytes had been received at the end of the first PATCH.
    first_end: Option<u64>,
    /// The queries of all Locations so far, as pairs; the last one is the current one.
    issued: Vec<Vec<(String, String)>>,
}

struct Content {
    hasher: Sha256,
    len: u64,
    /// `None` if the preset does not keep bytes.
    bytes: Option<BytesMut>,
}

impl Content {
    fn new(keep: bool) -> Self {
        Self { hasher: Sha256::new(), len: 0, bytes: keep.then(BytesMut::new) }
    }
}

impl Session {
    pub(super) fn new(name: &str, id: &str, push: &PushRules) -> Self {
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            content: Content::new(push.keeps_blob_bytes),
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

    /// Begins a PATCH; with `replace` it replaces what has been received before.
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

    /// The `Range` header: `0-END` of what has been received, and `0-0` if nothing has, as CNCF Distribution writes it.
    pub(super) fn range(&self, first_chunk_only: bool) -> String {
        let end = self.first_end.filter(|_| first_chunk_only).unwrap_or(self.received);
        format!("0-{}", end.saturating_sub(1))
    }

    /// A new Location, which replaces the one before.
    pub(super) fn location(&mut self, push: &PushRules, origins: &Origins) -> String {
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
            Locations::OutsideApi => {
                let mut parts = name.splitn(3, '/');
                let (project, repository) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                format!("/artifacts-uploads/namespaces/{project}/repositories/{repository}/uploads/{id}{query}")
            }
            Locations::OtherHost => format!("{}{path}", origins.uploads),
        }
    }

    fn parameters(&self, push: &PushRules) -> Vec<(String, String)> {
        let mut parameters: Vec<_> =
            push.location_parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if push.locations == Locations::OtherHost {
            parameters.push(("signature".to_owned(), self.sign("signature")));
        }
        if !matches!(push.locations, Locations::Singular | Locations::OutsideApi) {
            parameters.push(("_state".to_owned(), self.sign(&self.received.to_string())));
        }
        parameters
    }

    /// A value for one repository, session and purpose. It ends with `=`, so that it has to be encoded in a query, as CNCF
    /// Distribution's state.
    fn sign(&self, purpose: &str) -> String {
        let text = format!("the registry's key {} {} {purpose}", self.name, self.id);
        BASE64_URL_SAFE.encode(Sha256::digest(text.as_bytes()))
    }

    /// Whether the query of a request is that of the current Location, followed by at most a digest (`allow_digest`).
    /// Status requests and cancellations may use an older Location (`allow_old`), because a client has no other after a
    /// broken transfer.
    pub(super) fn accepts_query(&self, query: &str, allow_digest: bool, allow_old: bool) -> bool {
        let mut pairs = query::pairs(query);
        if allow_digest && pairs.last().is_some_and(|(key, _)| key == "digest") {
            pairs.pop();
        }
        if allow_old {
            self.issued.contains(&pairs)
        } else {
            self.issued.last() == Some(&pairs) && self.is_current(&pairs)
        }
    }

    /// Whether the `_state` of a query, if it has one, is that of the bytes received so far.
    fn is_current(&self, pairs: &[(String, String)]) -> bool {
        let state = pairs.iter().find(|(key, _)| key == "_state");
        state.is_none_or(|(_, state)| *state == self.sign(&self.received.to_string()))
    }
}
