//! Upload sessions, as CNCF Distribution keeps them.

use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::super::content::{Blob, hex, sha256};
use super::super::lock;
use super::super::preset::{Locations, Preset};
use super::super::reply::Reply;
use super::super::server::Call;
use super::{Ask, Engine, Series};

/// An upload session.
pub(super) struct Upload {
    name: String,
    hasher: Sha256,
    len: u64,
    /// `None` where bodies are not kept.
    bytes: Option<BytesMut>,
}

impl Upload {
    fn new(name: &str, keep: bool) -> Self {
        Self { name: name.to_owned(), hasher: Sha256::new(), len: 0, bytes: keep.then(BytesMut::new) }
    }

    fn push(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
        self.len += piece.len() as u64;
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(piece);
        }
    }

    fn finish(self) -> Blob {
        match self.bytes {
            Some(bytes) => Blob::new(bytes.freeze()),
            None => Blob::discarded(self.len, format!("sha256:{}", hex(&self.hasher.finalize()))),
        }
    }

    /// `0-END` of what has arrived; `0-0` also when nothing has (distribution does so).
    fn range(&self) -> String {
        format!("0-{}", self.len.saturating_sub(1))
    }
}

impl Engine {
    /// POST: a mount, a whole blob in one request, or a new session.
    pub(super) async fn start_upload(&self, ask: &Ask<'_>, name: &str, call: &mut Call) -> Reply {
        let entry = ask.entry;
        if let (Some(digest), Some(from)) = (entry.query_value("mount"), entry.query_value("from")) {
            let blob = self.store.read(&from, |source| source.blobs.get(&digest).cloned()).flatten();
            if let Some(blob) = blob {
                return self.keep(name, blob);
            }
        }
        let id = format!("upload-{}", self.next_number(Series::Uploads));
        lock(&self.uploads).insert(id.clone(), Upload::new(name, ask.preset.push.keep_blobs));
        match entry.query_value("digest") {
            Some(digest) => {
                self.receive(&id, call).await;
                self.complete(name, &id, &digest)
            }
            None => self.progress(ask.preset, 202, &id).without("range"),
        }
    }

    pub(super) fn upload_status(&self, preset: &Preset, name: &str, id: &str) -> Reply {
        if self.session_len(name, id).is_none() {
            return unknown_upload();
        }
        self.progress(preset, 204, id)
    }

    pub(super) async fn patch(&self, ask: &Ask<'_>, name: &str, id: &str, call: &mut Call) -> Reply {
        if let Err(refusal) = self.check_session(ask, name, id) {
            return refusal;
        }
        if call.header("content-type").is_some_and(|kind| kind != "application/octet-stream") {
            return Reply::error(400, "UNKNOWN", "Bad Content-Type");
        }
        if let Some(range) = call.header("content-range") {
            let len = call.header("content-length").and_then(|len| len.parse::<u64>().ok()).unwrap_or(0);
            if ask.preset.push.most_ranged_patch.is_some_and(|most| len > most) {
                let message = "the request body is too large and exceeds the maximum permissible limit of 4.00MiB";
                return Reply::error(416, "SIZE_INVALID", message);
            }
            // No `bytes ` in front and no total behind, unlike RFC 9110.
            let start = range.split_once('-').and_then(|(start, _)| start.parse::<u64>().ok());
            if start != self.session_len(name, id) {
                return self.progress(ask.preset, 416, id);
            }
        }
        self.receive(id, call).await;
        self.progress(ask.preset, ask.preset.push.patch_status, id)
    }

    pub(super) async fn finish_upload(&self, ask: &Ask<'_>, name: &str, id: &str, call: &mut Call) -> Reply {
        if let Err(refusal) = self.check_session(ask, name, id) {
            return refusal;
        }
        let Some(digest) = ask.entry.query_value("digest") else {
            return Reply::error(400, "DIGEST_INVALID", "digest missing");
        };
        self.receive(id, call).await;
        self.complete(name, id, &digest)
    }

    pub(super) fn cancel_upload(&self, id: &str) -> Reply {
        if lock(&self.uploads).remove(id).is_some() { Reply::new(204) } else { unknown_upload() }
    }

    /// Piece by piece into the session: a broken transfer leaves what has arrived.
    async fn receive(&self, id: &str, call: &mut Call) {
        while let Some(piece) = call.next_piece().await {
            if let Some(upload) = lock(&self.uploads).get_mut(id) {
                upload.push(&piece);
            }
        }
    }

    fn complete(&self, name: &str, id: &str, digest: &str) -> Reply {
        let Some(upload) = lock(&self.uploads).remove(id) else { return unknown_upload() };
        let blob = upload.finish();
        if blob.digest == digest {
            self.keep(name, blob)
        } else {
            Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        }
    }

    fn keep(&self, name: &str, blob: Blob) -> Reply {
        let digest = blob.digest.clone();
        self.store.write(name, |repository| repository.blobs.insert(digest.clone(), blob));
        Reply::new(201).header("location", format!("/v2/{name}/blobs/{digest}")).header("docker-content-digest", digest)
    }

    fn session_len(&self, name: &str, id: &str) -> Option<u64> {
        lock(&self.uploads).get(id).filter(|upload| upload.name == name).map(|upload| upload.len)
    }

    /// The session must be there, and its state must come back as it was given.
    fn check_session(&self, ask: &Ask<'_>, name: &str, id: &str) -> Result<(), Reply> {
        let len = self.session_len(name, id).ok_or_else(unknown_upload)?;
        let stateless = ask.preset.push.locations == Locations::Singular;
        if stateless || ask.entry.query_value("_state") == Some(state(name, id, len)) {
            Ok(())
        } else {
            Err(Reply::error(400, "BLOB_UPLOAD_INVALID", "blob upload invalid"))
        }
    }

    /// Where the upload stands and where it goes on.
    fn progress(&self, preset: &Preset, status: u16, id: &str) -> Reply {
        let uploads = lock(&self.uploads);
        let Some(Upload { name, len, .. }) = uploads.get(id) else { return unknown_upload() };
        let state = state(name, id, *len);
        let path = format!("/v2/{name}/blobs/uploads/{id}?_state={state}");
        let location = match preset.push.locations {
            Locations::AbsoluteWithState => format!("{}{path}", self.origins().registry),
            Locations::RelativeWithState => path,
            Locations::Singular => format!("/v2/{name}/blobs/upload/{id}"),
        };
        let range = uploads[id].range();
        let reply = match status {
            416 => Reply::error(416, "RANGE_INVALID", "invalid content range"),
            _ => Reply::new(status),
        };
        reply.header("location", location).header("range", range).header("docker-upload-uuid", id)
    }
}

/// Bound to name, session and offset, so that an old location is refused.
fn state(name: &str, id: &str, len: u64) -> String {
    sha256(format!("the registry's key {name} {id} {len}").as_bytes())["sha256:".len()..][..32].to_owned()
}

fn unknown_upload() -> Reply {
    Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}
