//! The requests of an upload, step by step, within the limits of the registry.

use std::ops::RangeInclusive;

use super::super::call::Call;
use super::super::content::Blob;
use super::super::ledger::Role;
use super::super::lock;
use super::super::preset::{Length, Limit, Locations, Preset, SinglePost};
use super::super::reply::Reply;
use super::route::Door;
use super::session::Session;
use super::{Ask, Engine, Route, Series};

impl Engine {
    /// POST: a mount, a whole blob in one request, or a new session.
    pub(super) async fn start_upload(&self, ask: &Ask<'_>, name: &str, call: &mut Call) -> Reply {
        let (preset, push) = (ask.preset, &ask.preset.push);
        if let Some(refusal) = push.must_exist.clone().filter(|_| !self.store.exists(name)) {
            return refusal;
        }
        if let Some(reply) = self.mount(ask, name) {
            return reply;
        }
        let digest = ask.entry.query_value("digest");
        let is_stream = call.header("content-type") == Some("application/octet-stream");
        match (&push.single_post, digest) {
            (_, None) | (SinglePost::Ignored, Some(_)) => {
                let id = self.open(preset, name);
                self.progress(preset, 202, &id, "")
            }
            (SinglePost::Refused(refusal), Some(_)) => refusal.clone(),
            (SinglePost::OctetStream, Some(_)) if !is_stream => Reply::new(415),
            (SinglePost::OctetStream | SinglePost::Taken, Some(digest)) => {
                let id = self.open(preset, name);
                match self.receive(&id, call, None).await {
                    Ok(_) => self.complete(preset, &id, &digest),
                    Err(refusal) => refusal,
                }
            }
        }
    }

    fn open(&self, preset: &Preset, name: &str) -> String {
        let id = format!("upload-{}", self.next_number(Series::Uploads));
        lock(&self.sessions).insert(id.clone(), Session::new(name, &id, &preset.push));
        id
    }

    pub(super) fn upload_status(&self, ask: &Ask<'_>, id: &str) -> Reply {
        match self.check_session(ask, id, false, true) {
            Ok(()) => self.progress(ask.preset, 204, id, ask.preset.push.status_prefix),
            Err(refusal) => refusal,
        }
    }

    pub(super) async fn patch(&self, ask: &Ask<'_>, id: &str, call: &mut Call) -> Reply {
        if let Err(refusal) = self.check_session(ask, id, false, false) {
            return refusal;
        }
        if call.header("content-type").is_some_and(|kind| kind != "application/octet-stream") {
            return Reply::error(400, "UNKNOWN", "Bad Content-Type");
        }
        let patches = &ask.preset.push.patches;
        let range = match self.check_range(ask, id, call) {
            Ok(range) => range,
            Err(refusal) => return refusal,
        };
        let before = lock(&self.sessions).get(id).map_or(0, |session| session.patches);
        if let Some(limit) = patches.count.as_ref().filter(|limit| before >= limit.most) {
            return limit.refusal.clone();
        }
        if let Some(refusal) = patches.second_stream.as_ref().filter(|_| before > 0 && range.is_none()) {
            return refusal.clone();
        }
        if let Some(session) = lock(&self.sessions).get_mut(id) {
            session.begin_patch(patches.replace);
        }
        let limit = patches.most_ranged.as_ref().filter(|_| range.is_some());
        let came = match self.receive(id, call, limit).await {
            Ok(came) => came,
            Err(refusal) => return refusal,
        };
        if let Some(session) = lock(&self.sessions).get_mut(id) {
            session.end_patch();
        }
        if range.is_some_and(|range| range.end() + 1 - range.start() != came) {
            return size_invalid();
        }
        self.progress(ask.preset, patches.status, id, "")
    }

    /// The Content-Range, which must go on where the session stands and agree with the length that is told.
    fn check_range(&self, ask: &Ask<'_>, id: &str, call: &Call) -> Result<Option<RangeInclusive<u64>>, Reply> {
        let patches = &ask.preset.push.patches;
        let (header, told) = (call.header("content-range"), call.told_length());
        let must_tell = match patches.length {
            Length::Optional => false,
            Length::WithRange => header.is_some(),
            Length::Always => true,
        };
        if must_tell && told.is_none() {
            return Err(patches.length_missing.clone());
        }
        let Some(header) = header else { return Ok(None) };
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        // No `bytes ` in front and no total behind, unlike RFC 9110.
        let parsed = header.split_once('-').and_then(|(start, end)| Some(number(start)?..=number(end)?));
        let range = parsed.ok_or_else(|| patches.range_malformed.clone())?;
        if let (Some(limit), Some(told)) = (&patches.most_ranged, told)
            && told > limit.most
        {
            return Err(limit.refusal.clone());
        }
        let stands = lock(&self.sessions).get(id).map(Session::received);
        if range.is_empty() || stands != Some(*range.start()) {
            return Err(self.progress(ask.preset, 416, id, ""));
        }
        if told.is_some_and(|told| told != range.end() + 1 - range.start()) {
            return Err(size_invalid());
        }
        Ok(Some(range))
    }

    pub(super) async fn finish_upload(&self, ask: &Ask<'_>, id: &str, call: &mut Call) -> Reply {
        if let Err(refusal) = self.check_session(ask, id, true, false) {
            return refusal;
        }
        let Some(digest) = ask.entry.query_value("digest") else {
            return Reply::error(400, "DIGEST_INVALID", "digest missing");
        };
        match self.receive(id, call, ask.preset.push.most_in_put.as_ref()).await {
            Ok(_) => self.complete(ask.preset, id, &digest),
            Err(refusal) => refusal,
        }
    }

    pub(super) fn cancel_upload(&self, ask: &Ask<'_>, id: &str) -> Reply {
        if let Err(refusal) = self.check_session(ask, id, false, true) {
            return refusal;
        }
        lock(&self.sessions).remove(id);
        Reply::new(204).header("docker-upload-uuid", id)
    }

    /// Piece by piece into the session: a broken transfer leaves what has arrived.
    async fn receive(&self, id: &str, call: &mut Call, limit: Option<&Limit>) -> Result<u64, Reply> {
        let exceeded = |len: u64| limit.filter(|limit| len > limit.most).map(|limit| limit.refusal.clone());
        if let Some(refusal) = call.told_length().and_then(exceeded) {
            return Err(refusal);
        }
        let mut came = 0;
        while let Some(piece) = call.next_piece().await {
            came += piece.len() as u64;
            if let Some(refusal) = exceeded(came) {
                return Err(refusal);
            }
            if let Some(session) = lock(&self.sessions).get_mut(id) {
                session.push(&piece);
            }
        }
        Ok(came)
    }

    fn complete(&self, preset: &Preset, id: &str, digest: &str) -> Reply {
        let Some(session) = lock(&self.sessions).remove(id) else { return unknown_upload() };
        let name = session.name.clone();
        let blob = session.finish();
        if blob.digest == digest {
            self.keep(preset, &name, blob)
        } else {
            Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        }
    }

    pub(super) fn keep(&self, preset: &Preset, name: &str, blob: Blob) -> Reply {
        let digest = blob.digest.clone();
        self.store.write(name, |repository| repository.blobs.insert(digest.clone(), blob));
        let location = self.content_location(preset, format!("/v2/{name}/blobs/{digest}"));
        Reply::new(201).header("location", location).header("docker-content-digest", digest)
    }

    /// Where content is: absolute where the sessions are.
    pub(super) fn content_location(&self, preset: &Preset, path: String) -> String {
        match preset.push.locations {
            Locations::AbsoluteWithState | Locations::OtherHost => format!("{}{path}", self.origins().registry),
            _ => path,
        }
    }

    /// The repository of a session whose path does not name all of it.
    pub(super) fn whole_name(&self, route: Route) -> Route {
        match route {
            Route::Upload { name, id, door: Door::Outside } => {
                let known = lock(&self.sessions).get(&id).map(|session| session.name.clone());
                let known = known.filter(|known| known.starts_with(&format!("{name}/")));
                Route::Upload { name: known.unwrap_or(name), id, door: Door::Outside }
            }
            route => route,
        }
    }

    /// The session must be there, at its own address, and its state must come back as it was given.
    fn check_session(&self, ask: &Ask<'_>, id: &str, digest_allowed: bool, also_old: bool) -> Result<(), Reply> {
        let Route::Upload { name, door, .. } = ask.route else { return Err(unknown_upload()) };
        let (role, right_door) = match ask.preset.push.locations {
            Locations::Singular => (Role::Registry, Door::Upload),
            Locations::Outside => (Role::Registry, Door::Outside),
            Locations::OtherHost => (Role::Uploads, Door::Uploads),
            _ => (Role::Registry, Door::Uploads),
        };
        let sessions = lock(&self.sessions);
        let session = sessions.get(id).filter(|session| session.name == *name);
        let session = session.filter(|_| (ask.entry.role, *door) == (role, right_door)).ok_or_else(unknown_upload)?;
        if session.knows(&ask.entry.query, digest_allowed, also_old) {
            Ok(())
        } else {
            Err(Reply::error(400, "BLOB_UPLOAD_INVALID", "blob upload invalid"))
        }
    }

    /// Where the upload stands and where it goes on.
    fn progress(&self, preset: &Preset, status: u16, id: &str, prefix: &str) -> Reply {
        let mut sessions = lock(&self.sessions);
        let Some(session) = sessions.get_mut(id) else { return unknown_upload() };
        let reply = match status {
            416 => Reply::error(416, "RANGE_INVALID", "invalid content range"),
            _ => Reply::new(status),
        };
        let stuck = preset.push.patches.range_stuck && status == preset.push.patches.status;
        let range = format!("{prefix}{}", session.range(stuck));
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
