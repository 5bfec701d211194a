//! Writes: manifests, deletes, and the dispatch to uploads.

use http::Method;

use super::super::call::Call;
use super::super::content::{Manifest, Repository};
use super::super::preset::{Referrers, name_unknown};
use super::super::query;
use super::super::reply::Reply;
use super::super::route::Route;
use super::{ApiRequest, Engine};

impl Engine {
    pub(super) async fn write(&self, request: &ApiRequest<'_>, mut call: Call) -> Reply {
        let deletes = &request.preset.push.deletes;
        match (request.route, &request.entry.method) {
            (Route::Manifest { name, reference }, &Method::PUT) => {
                self.put_manifest(request, name, reference, &mut call).await
            }
            (Route::Manifest { name, reference }, &Method::DELETE) => {
                let rejection = if reference.contains(':') { &deletes.manifests } else { &deletes.tags };
                let unknown = Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
                self.delete(rejection.as_ref(), name, unknown, |repository| repository.delete_manifest(reference))
            }
            (Route::Blob { name, digest }, &Method::DELETE) => {
                let unknown = Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
                self.delete(deletes.blobs.as_ref(), name, unknown, |repository| {
                    repository.blobs.remove(digest).is_some()
                })
            }
            (Route::Uploads { name }, &Method::POST) => self.start_upload(request, name, &mut call).await,
            (Route::Upload { id, .. }, &Method::GET | &Method::HEAD) => self.upload_status(request, id),
            (Route::Upload { id, .. }, &Method::PATCH) => self.patch(request, id, &mut call).await,
            (Route::Upload { id, .. }, &Method::PUT) => self.finish_upload(request, id, &mut call).await,
            (Route::Upload { id, .. }, &Method::DELETE) => self.cancel_upload(request, id),
            _ => Reply::unsupported(),
        }
    }

    async fn put_manifest(&self, request: &ApiRequest<'_>, name: &str, reference: &str, call: &mut Call) -> Reply {
        if let Some(rejection) =
            request.preset.push.unknown_repository_reply.clone().filter(|_| !self.store.exists(name))
        {
            return rejection;
        }
        let Some(media_type) = call.header("content-type").map(str::to_owned) else {
            return Reply::error(400, "MANIFEST_INVALID", "manifest invalid");
        };
        let manifest = Manifest::new(&media_type, call.read().await);
        let digest = manifest.digest.clone();
        let by_digest = reference.contains(':');
        if by_digest && reference != digest {
            return Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        let document = manifest.document();
        // Only a registry with the API acknowledges a subject (opencontainers/distribution-spec, spec.md).
        let has_api = request.preset.lists.referrers == Referrers::Index;
        let subject = document["subject"]["digest"].as_str().filter(|_| has_api).map(str::to_owned);
        if let Some(missing) = self.missing_content(name, &document) {
            let detail = format!(r#"{{"digest":"{missing}"}}"#);
            return Reply::error_detail(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", &detail);
        }
        // `?tag=` is defined for pushes by digest only (opencontainers/distribution-spec, spec.md).
        let more_tags = if by_digest { query::values(&request.entry.query, "tag") } else { Vec::new() };
        self.store.write(name, |repository| {
            repository.manifests.insert(digest.clone(), manifest);
            let named = (!by_digest).then_some(reference);
            for tag in named.into_iter().chain(more_tags.iter().map(String::as_str)) {
                repository.tag(tag, &digest);
            }
        });
        let location = self.content_location(request.preset, format!("/v2/{name}/manifests/{digest}"));
        let reply = Reply::new(201).header("location", location).header("docker-content-digest", &digest);
        let reply = more_tags.iter().fold(reply, |reply, tag| reply.append_header("oci-tag", tag));
        subject.map_or(reply.clone(), |subject| reply.header("oci-subject", subject))
    }

    /// The digest of the first layer or configuration that the manifest names and the repository lacks.
    fn missing_content(&self, name: &str, document: &serde_json::Value) -> Option<String> {
        let layers = document["layers"].as_array().into_iter().flatten();
        let named = layers.chain([&document["config"]]).filter_map(|part| part["digest"].as_str());
        let known =
            |digest: &str| self.store.read(name, |repository| repository.blobs.contains_key(digest)).unwrap_or(false);
        named.filter(|digest| !known(digest)).map(str::to_owned).next()
    }

    fn delete(
        &self,
        rejection: Option<&Reply>,
        name: &str,
        unknown: Reply,
        delete: impl FnOnce(&mut Repository) -> bool,
    ) -> Reply {
        if let Some(rejection) = rejection {
            return rejection.clone();
        }
        if !self.store.exists(name) {
            return name_unknown(name);
        }
        if self.store.write(name, delete) { Reply::new(202) } else { unknown }
    }
}
