//! The requests of an upload session: POST, PATCH, PUT, status and cancellation, within the limits of the preset.

use std::ops::RangeInclusive;

use super::super::call::Call;
use super::super::content::Blob;
use super::super::ledger::Role;
use super::super::lock;
use super::super::preset::{ContentLength, Limit, Locations, MonolithicPost, Preset};
use super::super::reply::Reply;
use super::super::route::{Route, UploadPath};
use super::session::Session;
use super::{ApiRequest, Counter, Engine};

impl Engine {
    /// POST: a mount, a whole blob in one request, or a new session.
    pub(super) async fn start_upload(&self, request: &ApiRequest<'_>, name: &str, call: &mut Call) -> Reply {
        let (preset, push) = (request.preset, &request.preset.push);
        if let Some(rejection) = push.unknown_repository_reply.clone().filter(|_| !self.store.exists(name)) {
            return rejection;
        }
        if let Some(reply) = self.mount(request, name) {
            return reply;
        }
        let digest = request.entry.query_value("digest");
        let is_stream = call.header("content-type") == Some("application/octet-stream");
        match (&push.monolithic_post, digest) {
            (_, None) | (MonolithicPost::Ignored, Some(_)) => {
                let id = self.open_session(preset, name);
                self.progress(preset, 202, &id, "")
            }
            (MonolithicPost::Rejected(rejection), Some(_)) => rejection.clone(),
            (MonolithicPost::OctetStreamOnly, Some(_)) if !is_stream => Reply::new(415),
            (MonolithicPost::OctetStreamOnly | MonolithicPost::Accepted, Some(digest)) => {
                let id = self.open_session(preset, name);
                match self.receive(&id, call, None).await {
                    Ok(_) => self.complete(preset, &id, &digest),
                    Err(rejection) => rejection,
                }
            }
        }
    }

    /// Opens a session; returns its id.
    fn open_session(&self, preset: &Preset, name: &str) -> String {
        let id = format!("upload-{}", self.next_number(Counter::Uploads));
        lock(&self.sessions).insert(id.clone(), Session::new(name, &id, &preset.push));
        id
    }

    pub(super) fn upload_status(&self, request: &ApiRequest<'_>, id: &str) -> Reply {
        match self.check_session(request, id, false, true) {
            Ok(()) => self.progress(request.preset, 204, id, request.preset.push.status_range_prefix),
            Err(rejection) => rejection,
        }
    }

    pub(super) async fn patch(&self, request: &ApiRequest<'_>, id: &str, call: &mut Call) -> Reply {
        if let Err(rejection) = self.check_session(request, id, false, false) {
            return rejection;
        }
        if call.header("content-type").is_some_and(|kind| kind != "application/octet-stream") {
            return Reply::error(400, "UNKNOWN", "Bad Content-Type");
        }
        let patches = &request.preset.push.patches;
        let range = match self.check_content_range(request, id, call) {
            Ok(range) => range,
            Err(rejection) => return rejection,
        };
        let before = lock(&self.sessions).get(id).map_or(0, |session| session.patches);
        if let Some(limit) = patches.per_session_limit.as_ref().filter(|limit| before >= limit.max) {
            return limit.rejection.clone();
        }
        if let Some(rejection) = patches.second_stream_rejection.as_ref().filter(|_| before > 0 && range.is_none()) {
            return rejection.clone();
        }
        if let Some(session) = lock(&self.sessions).get_mut(id) {
            session.begin_patch(patches.replaces_previous);
        }
        let limit = patches.ranged_limit.as_ref().filter(|_| range.is_some());
        let received = match self.receive(id, call, limit).await {
            Ok(received) => received,
            Err(rejection) => return rejection,
        };
        if let Some(session) = lock(&self.sessions).get_mut(id) {
            session.end_patch();
        }
        if range.is_some_and(|range| range.end() + 1 - range.start() != received) {
            return size_invalid();
        }
        self.progress(request.preset, patches.status, id, "")
    }

    /// The Content-Range, which has to start at the end of what has been received and to agree with the Content-Length;
    /// `None` if the request has none. Also checks that a required Content-Length is present.
    fn check_content_range(
        &self,
        request: &ApiRequest<'_>,
        id: &str,
        call: &Call,
    ) -> Result<Option<RangeInclusive<u64>>, Reply> {
        let patches = &request.preset.push.patches;
        let (header, declared) = (call.header("content-range"), call.declared_length());
        let requires_length = match patches.content_length {
            ContentLength::Optional => false,
            ContentLength::RequiredWithRange => header.is_some(),
            ContentLength::Required => true,
        };
        if requires_length && declared.is_none() {
            return Err(patches.missing_length_rejection.clone());
        }
        let Some(header) = header.filter(|_| !patches.ignores_range) else { return Ok(None) };
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        // Unlike RFC 9110: no `bytes ` before the range and no total after it.
        let parsed = header.split_once('-').and_then(|(start, end)| Some(number(start)?..=number(end)?));
        let range = parsed.ok_or_else(|| patches.malformed_range_rejection.clone())?;
        if let (Some(limit), Some(declared)) = (&patches.ranged_limit, declared)
            && declared > limit.max
        {
            return Err(limit.rejection.clone());
        }
        let received = lock(&self.sessions).get(id).map(Session::received);
        if range.is_empty() || received != Some(*range.start()) {
            return Err(self.progress(request.preset, 416, id, ""));
        }
        if declared.is_some_and(|declared| declared != range.end() + 1 - range.start()) {
            return Err(size_invalid());
        }
        Ok(Some(range))
    }

    pub(super) async fn finish_upload(&self, request: &ApiRequest<'_>, id: &str, call: &mut Call) -> Reply {
        if let Err(rejection) = self.check_session(request, id, true, false) {
            return rejection;
        }
        let Some(digest) = request.entry.query_value("digest") else {
            return Reply::error(400, "DIGEST_INVALID", "digest missing");
        };
        match self.receive(id, call, request.preset.push.put_limit.as_ref()).await {
            Ok(_) => self.complete(request.preset, id, &digest),
            Err(rejection) => rejection,
        }
    }

    pub(super) fn cancel_upload(&self, request: &ApiRequest<'_>, id: &str) -> Reply {
        if let Err(rejection) = self.check_session(request, id, false, true) {
            return rejection;
        }
        lock(&self.sessions).remove(id);
        Reply::new(204).header("docker-upload-uuid", id)
    }

    /// Reads the body into the session piece by piece, so that a broken transfer leaves what has arrived.
    async fn receive(&self, id: &str, call: &mut Call, limit: Option<&Limit>) -> Result<u64, Reply> {
        let exceeded = |len: u64| limit.filter(|limit| len > limit.max).map(|limit| limit.rejection.clone());
        if let Some(rejection) = call.declared_length().and_then(exceeded) {
            return Err(rejection);
        }
        let mut received = 0;
        while let Some(piece) = call.next_piece().await {
            received += piece.len() as u64;
            if let Some(rejection) = exceeded(received) {
                return Err(rejection);
            }
            if let Some(session) = lock(&self.sessions).get_mut(id) {
                session.push(&piece);
            }
        }
        Ok(received)
    }

    fn complete(&self, preset: &Preset, id: &str, digest: &str) -> Reply {
        let Some(session) = lock(&self.sessions).remove(id) else { return unknown_upload() };
        let name = session.name.clone();
        let blob = session.finish();
        if blob.digest == digest {
            self.store_blob(preset, &name, blob)
        } else {
            Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        }
    }

    pub(super) fn store_blob(&self, preset: &Preset, name: &str, blob: Blob) -> Reply {
        let digest = blob.digest.clone();
        self.store.write(name, |repository| repository.blobs.insert(digest.clone(), blob));
        let location = self.content_location(preset, format!("/v2/{name}/blobs/{digest}"));
        Reply::new(201).header("location", location).header("docker-content-digest", digest)
    }

    /// The Location of stored content: an absolute URL if the preset's upload sessions have absolute URLs, else a path.
    pub(super) fn content_location(&self, preset: &Preset, path: String) -> String {
        match preset.push.locations {
            Locations::AbsoluteWithState | Locations::OtherHost => format!("{}{path}", self.origins().registry),
            _ => path,
        }
    }

    /// Completes the repository of a session whose path names only its beginning.
    pub(super) fn with_full_name(&self, route: Route) -> Route {
        match route {
            Route::Upload { name, id, upload_path: UploadPath::OutsideApi } => {
                let known = lock(&self.sessions).get(&id).map(|session| session.name.clone());
                let known = known.filter(|known| known.starts_with(&format!("{name}/")));
                Route::Upload { name: known.unwrap_or(name), id, upload_path: UploadPath::OutsideApi }
            }
            route => route,
        }
    }

    /// Checks that the session exists, is addressed by the form of its Location, and that the query is unchanged.
    fn check_session(
        &self,
        request: &ApiRequest<'_>,
        id: &str,
        allow_digest: bool,
        allow_old: bool,
    ) -> Result<(), Reply> {
        let Route::Upload { name, upload_path, .. } = request.route else { return Err(unknown_upload()) };
        let (role, expected_path) = match request.preset.push.locations {
            Locations::Singular => (Role::Registry, UploadPath::Upload),
            Locations::OutsideApi => (Role::Registry, UploadPath::OutsideApi),
            Locations::OtherHost => (Role::UploadHost, UploadPath::Uploads),
            _ => (Role::Registry, UploadPath::Uploads),
        };
        let sessions = lock(&self.sessions);
        let session = sessions.get(id).filter(|session| session.name == *name);
        let session = session
            .filter(|_| (request.entry.role, *upload_path) == (role, expected_path))
            .ok_or_else(unknown_upload)?;
        if session.accepts_query(&request.entry.query, allow_digest, allow_old) {
            Ok(())
        } else {
            Err(Reply::error(400, "BLOB_UPLOAD_INVALID", "blob upload invalid"))
        }
    }

    /// A reply with the session's Range and its new Location.
    fn progress(&self, preset: &Preset, status: u16, id: &str, prefix: &str) -> Reply {
        let mut sessions = lock(&self.sessions);
        let Some(session) = sessions.get_mut(id) else { return unknown_upload() };
        let reply = match status {
            416 => Reply::error(416, "RANGE_INVALID", "invalid content range"),
            _ => Reply::new(status),
        };
        let first_chunk_only = preset.push.patches.range_stays_at_first_chunk && status == preset.push.patches.status;
        let range = format!("{prefix}{}", session.range(first_chunk_only));
        let location = session.location(&preset.push, self.origins());
        reply.header("location", location).header("range", range).header("docker-upload-uuid", id)
    }
}

fn size_invalid() -> Reply {
    Reply::error(400, "SIZE_INVALID", "provided length did not match content length")
}

fn unknown_upload() -> Reply {
    Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}
