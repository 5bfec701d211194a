//! Reads of manifests and blobs.

use http::{Method, header};

use super::super::content::{Manifest, media, sha256};
use super::super::preset::{AcceptMismatch, Delivery, SeveralRanges};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{ApiRequest, Engine, ranges};

const OCI: [&str; 2] = [media::OCI_INDEX, media::OCI_MANIFEST];
const DOCKER: [&str; 2] = [media::DOCKER_LIST, media::DOCKER_MANIFEST];

impl Engine {
    pub(super) fn manifest(&self, request: &ApiRequest<'_>, name: &str, reference: &str) -> Reply {
        let pull = &request.preset.pull;
        let rate = match self.rate_headers(request) {
            Ok(headers) => headers,
            Err(rejection) => return rejection,
        };
        let digest = reference.strip_prefix("sha256-").filter(|_| pull.digest_tags).map(|hex| format!("sha256:{hex}"));
        let reference = digest.as_deref().unwrap_or(reference);
        let found = self.store.read(name, |repository| repository.manifest(reference).cloned());
        let reply = match found.flatten() {
            None => (pull.missing_manifest)(request),
            Some(manifest) => match self.negotiate(request, name, reference, manifest) {
                Err(rejection) => rejection,
                Ok(manifest) => manifest_reply(request, &manifest),
            },
        };
        rate.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }

    /// The manifest to send, given the client's `Accept`; `Err` is the reply if the registry sends none.
    fn negotiate(
        &self,
        request: &ApiRequest<'_>,
        name: &str,
        reference: &str,
        manifest: Manifest,
    ) -> Result<Manifest, Reply> {
        let accepted = accepted_types(request);
        let accepts = |media_type: &str| accepted.iter().any(|accepted| accepted == media_type);
        match request.preset.pull.accept_mismatch {
            AcceptMismatch::ServeSchema1 if OCI.iter().chain(&DOCKER).any(|media_type| accepts(media_type)) => {
                Ok(manifest)
            }
            AcceptMismatch::ServeSchema1 => Ok(schema_1(name, reference)),
            AcceptMismatch::NotFound
                if OCI.contains(&manifest.media_type.as_str()) && !accepts(&manifest.media_type) =>
            {
                let kind = if manifest.media_type == media::OCI_INDEX { "index" } else { "manifest" };
                let plural = if kind == "index" { "indexes" } else { "manifests" };
                let message = format!("OCI {kind} found, but accept header does not support OCI {plural}");
                Err(Reply::error(404, "MANIFEST_UNKNOWN", &message))
            }
            // Only for a tag: a digest names exactly one manifest.
            AcceptMismatch::NotFound
                if manifest.media_type == media::DOCKER_LIST
                    && !accepts(media::DOCKER_LIST)
                    && !reference.contains(':') =>
            {
                Ok(self.amd64_child(name, &manifest).unwrap_or(manifest))
            }
            AcceptMismatch::ServeStored | AcceptMismatch::NotFound => Ok(manifest),
        }
    }

    fn amd64_child(&self, name: &str, list: &Manifest) -> Option<Manifest> {
        let document = list.document();
        let children = document["manifests"].as_array()?;
        let child = children.iter().find(|child| child["platform"]["architecture"] == "amd64")?;
        let digest = child["digest"].as_str()?;
        self.store.read(name, |repository| repository.manifest(digest).cloned())?
    }

    pub(super) fn blob(&self, request: &ApiRequest<'_>, name: &str, digest: &str) -> Reply {
        let blob = self.store.read(name, |repository| repository.blobs.get(digest).cloned());
        let Some(blob) = blob.flatten() else {
            return Reply::error_detail(
                404,
                "BLOB_UNKNOWN",
                "blob unknown to registry",
                &format!(r#"{{"digest":"{digest}"}}"#),
            );
        };
        match &request.preset.pull.blobs {
            Delivery::Direct => {
                let reply = ranges::content_reply(request.entry, &blob, SeveralRanges::Multipart);
                if request.preset.pull.digest_header { reply.header("docker-content-digest", digest) } else { reply }
            }
            Delivery::Redirect { .. }
                if request.preset.pull.head_served_directly && request.entry.method == Method::HEAD =>
            {
                ranges::content_reply(request.entry, &blob, SeveralRanges::Multipart)
                    .header("docker-content-digest", digest)
            }
            Delivery::Redirect { hops, .. } => {
                // The name in the request's path, with the prefix that this host expects.
                let route = Route::parse(&request.entry.path);
                let prefixed_name = route.as_ref().and_then(Route::repository).unwrap_or(name);
                let location = self.signed_location(request.preset, prefixed_name, &blob.digest);
                self.redirect(hops, 0, &location)
            }
        }
    }

    /// The rate limit headers of a manifest reply; `Err` is the reply when the limit is used up. A HEAD does not count,
    /// but is rejected too.
    fn rate_headers(&self, request: &ApiRequest<'_>) -> Result<Vec<(&'static str, String)>, Reply> {
        let Some(rate) = &request.preset.pull.rate_limit else { return Ok(Vec::new()) };
        let used = self.count_manifest_pull(request.entry.method == Method::GET);
        let remaining = rate.limit.saturating_sub(used);
        if remaining == 0 {
            return Err(rate.exceeded.clone());
        }
        let window = rate.window.as_secs();
        Ok(vec![
            ("ratelimit-limit", format!("{};w={window}", rate.limit)),
            ("ratelimit-remaining", format!("{remaining};w={window}")),
            ("docker-ratelimit-source", "192.0.2.96".to_owned()),
        ])
    }
}

fn manifest_reply(request: &ApiRequest<'_>, manifest: &Manifest) -> Reply {
    let pull = &request.preset.pull;
    let etag = format!(r#""{}""#, manifest.digest);
    let known =
        request.entry.headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let reply =
        if known { Reply::new(304) } else { Reply::new(200).body(&manifest.media_type, manifest.bytes.clone()) };
    let reply = if pull.etag { reply.header("etag", etag) } else { reply };
    if pull.digest_header { reply.header("docker-content-digest", &manifest.digest) } else { reply }
}

/// The manifest converted to `schemaVersion` 1, which current clients cannot use.
fn schema_1(name: &str, tag: &str) -> Manifest {
    let document = format!(
        r#"{{"schemaVersion":1,"name":"{name}","tag":"{tag}","architecture":"amd64","fsLayers":[{{"blobSum":"{}"}}],"history":[],"signatures":[]}}"#,
        sha256(b"")
    );
    Manifest::new(media::SCHEMA_1, document)
}

fn accepted_types(request: &ApiRequest<'_>) -> Vec<String> {
    let lines = request.entry.headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let types = lines.flat_map(|line| line.split(',')).filter_map(|item| item.split(';').next());
    types.map(|media_type| media_type.trim().to_owned()).collect()
}
