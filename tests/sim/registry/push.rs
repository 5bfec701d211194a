//! Writing manifests, and deleting.

use http::Method;

use super::super::content::{Manifest, Repository};
use super::super::preset::Preset;
use super::super::reply::Reply;
use super::super::server::Call;
use super::route::Route;
use super::{Ask, Engine, lists};

impl Engine {
    pub(super) async fn change(&self, ask: &Ask<'_>, mut call: Call) -> Reply {
        let preset = ask.preset;
        match (ask.route, &ask.entry.method) {
            (Route::Manifest { name, reference }, &Method::PUT) => self.put_manifest(name, reference, &mut call).await,
            (Route::Manifest { name, reference }, &Method::DELETE) => {
                self.delete(preset, name, |repository| repository.delete_manifest(reference))
            }
            (Route::Blob { name, digest }, &Method::DELETE) => {
                self.delete(preset, name, |repository| repository.blobs.remove(digest).is_some())
            }
            (Route::Uploads { name }, &Method::POST) => self.start_upload(ask, name, &mut call).await,
            (Route::Upload { name, id }, &Method::GET | &Method::HEAD) => self.upload_status(preset, name, id),
            (Route::Upload { name, id }, &Method::PATCH) => self.patch(ask, name, id, &mut call).await,
            (Route::Upload { name, id }, &Method::PUT) => self.finish_upload(ask, name, id, &mut call).await,
            (Route::Upload { id, .. }, &Method::DELETE) => self.cancel_upload(id),
            _ => Reply::error(405, "UNSUPPORTED", "The operation is unsupported."),
        }
    }

    async fn put_manifest(&self, name: &str, reference: &str, call: &mut Call) -> Reply {
        let Some(media_type) = call.header("content-type").map(str::to_owned) else {
            return Reply::error(400, "MANIFEST_INVALID", "manifest invalid");
        };
        let manifest = Manifest::new(&media_type, call.read().await);
        let digest = manifest.digest.clone();
        if reference.contains(':') && reference != digest {
            return Reply::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        let document = manifest.document();
        let subject = document["subject"]["digest"].as_str().map(str::to_owned);
        if let Some(missing) = self.missing_content(name, &document) {
            let detail = format!(r#"{{"digest":"{missing}"}}"#);
            return Reply::error_detail(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", &detail);
        }
        self.store.write(name, |repository| {
            repository.manifests.insert(digest.clone(), manifest);
            if !reference.contains(':') {
                repository.tag(reference, &digest);
            }
        });
        let location = format!("/v2/{name}/manifests/{digest}");
        let reply = Reply::new(201).header("location", location).header("docker-content-digest", &digest);
        subject.map_or(reply.clone(), |subject| reply.header("oci-subject", subject))
    }

    /// The first blob that the manifest names and the repository lacks.
    fn missing_content(&self, name: &str, document: &serde_json::Value) -> Option<String> {
        let layers = document["layers"].as_array().into_iter().flatten();
        let named = layers.chain([&document["config"]]).filter_map(|part| part["digest"].as_str());
        let known =
            |digest: &str| self.store.read(name, |repository| repository.blobs.contains_key(digest)).unwrap_or(false);
        named.filter(|digest| !known(digest)).map(str::to_owned).next()
    }

    fn delete(&self, preset: &Preset, name: &str, delete: impl FnOnce(&mut Repository) -> bool) -> Reply {
        if let Some(refusal) = &preset.push.delete_refused {
            return refusal.clone();
        }
        if !self.store.exists(name) {
            return lists::unknown_name(name);
        }
        if self.store.write(name, delete) {
            Reply::new(202)
        } else {
            Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        }
    }
}
