//! The repositories of one registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::super::lock;
use super::blob::Blob;
use super::image::{Image, Manifest};

#[derive(Clone, Debug, Default)]
pub struct Repository {
    pub public: bool,
    /// Beside the owner of the namespace, who may do everything.
    pub members: BTreeSet<String>,
    pub blobs: BTreeMap<String, Blob>,
    pub manifests: BTreeMap<String, Manifest>,
    /// Oldest first; registries that sort do so when they list.
    pub tags: Vec<(String, String)>,
}

impl Repository {
    pub fn manifest(&self, reference: &str) -> Option<&Manifest> {
        let tagged = self.tags.iter().find(|(tag, _)| tag == reference).map(|(_, digest)| digest.as_str());
        self.manifests.get(tagged.unwrap_or(reference))
    }

    pub fn tag(&mut self, tag: &str, digest: &str) {
        match self.tags.iter_mut().find(|(name, _)| name == tag) {
            Some((_, points_to)) => digest.clone_into(points_to),
            None => self.tags.push((tag.to_owned(), digest.to_owned())),
        }
    }

    /// Deletes a tag, or a manifest with all its tags.
    pub fn delete_manifest(&mut self, reference: &str) -> bool {
        let before = (self.tags.len(), self.manifests.len());
        self.tags.retain(|(tag, digest)| tag != reference && digest != reference);
        self.manifests.remove(reference);
        before != (self.tags.len(), self.manifests.len())
    }
}

#[derive(Default)]
pub struct Store {
    repositories: Mutex<BTreeMap<String, Repository>>,
}

impl Store {
    /// Reads a repository; `None` when there is none of that name.
    pub fn read<T>(&self, name: &str, read: impl FnOnce(&Repository) -> T) -> Option<T> {
        lock(&self.repositories).get(name).map(read)
    }

    /// Changes a repository, which begins private and empty if there is none of that name.
    pub fn write<T>(&self, name: &str, write: impl FnOnce(&mut Repository) -> T) -> T {
        write(lock(&self.repositories).entry(name.to_owned()).or_default())
    }

    pub fn exists(&self, name: &str) -> bool {
        lock(&self.repositories).contains_key(name)
    }

    pub fn names(&self) -> Vec<String> {
        lock(&self.repositories).keys().cloned().collect()
    }

    pub fn put(&self, name: &str, tag: &str, image: &Image) {
        self.write(name, |repository| {
            repository.blobs.extend(image.blobs.iter().map(|blob| (blob.digest.clone(), blob.clone())));
            repository
                .manifests
                .extend(image.manifests.iter().map(|manifest| (manifest.digest.clone(), manifest.clone())));
            repository.tag(tag, image.digest());
        });
    }

    /// A blob of any repository: blob stores know no repositories.
    pub fn find_blob(&self, digest: &str) -> Option<Blob> {
        lock(&self.repositories).values().find_map(|repository| repository.blobs.get(digest)).cloned()
    }
}
