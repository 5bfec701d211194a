//! Mounts of blobs from another repository: `POST …/uploads/?mount=DIGEST[&from=REPOSITORY]`.

use super::super::content::{Blob, Repository};
use super::super::preset::{MountSource, MountWithoutFrom};
use super::super::reply::Reply;
use super::access::{Caller, DenialReason};
use super::scope::Scope;
use super::{ApiRequest, Engine};

impl Engine {
    /// The reply to a mount; `None` if the request is not a mount, or if the registry opens an upload session instead.
    pub(super) fn mount(&self, request: &ApiRequest<'_>, name: &str) -> Option<Reply> {
        let digest = request.entry.query_value("mount")?;
        let mounts = &request.preset.push.mounts;
        let Some(source) = request.entry.query_value("from") else {
            return match &mounts.without_from {
                MountWithoutFrom::OpensSession => None,
                MountWithoutFrom::Rejected(rejection) => Some(rejection.clone()),
                MountWithoutFrom::AnyReadable => {
                    let blob = self.store.names().iter().find_map(|source| self.mountable(request, source, &digest));
                    blob.map(|blob| self.store_blob(request.preset, name, blob))
                }
            };
        };
        match mounts.source {
            MountSource::Never => None,
            MountSource::ScopeAndSourceRequired if !self.store.exists(&source) => {
                let required = vec![Scope::repository(name, &["pull", "push"]), Scope::repository(&source, &["pull"])];
                Some(self.denial_reply(request, DenialReason::InsufficientScope, required))
            }
            MountSource::Referenced if !self.is_referenced(&source, &digest) => None,
            MountSource::Referenced
            | MountSource::ScopeRequired
            | MountSource::ScopeAndSourceRequired
            | MountSource::Optional => {
                self.mountable(request, &source, &digest).map(|blob| self.store_blob(request.preset, name, blob))
            }
        }
    }

    /// Whether a manifest of the repository names the digest.
    fn is_referenced(&self, source: &str, digest: &str) -> bool {
        let names_it = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(digest);
        let found = |source: &Repository| source.manifests.values().any(|manifest| names_it(&manifest.bytes));
        self.store.read(source, found).unwrap_or_default()
    }

    /// The blob, if it is in the repository `source` and the caller may read it there.
    fn mountable(&self, request: &ApiRequest<'_>, source: &str, digest: &str) -> Option<Blob> {
        let blob = self.store.read(source, |source| source.blobs.get(digest).cloned())??;
        let pull = Scope::repository(source, &["pull"]);
        let caller = request.caller.as_ref().ok()?;
        let open = request.preset.access.open_to_all && matches!(caller, Caller::Anonymous);
        (open || self.has_access(request.preset, caller, &pull)).then_some(blob)
    }
}
