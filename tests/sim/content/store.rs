//! The repositories of a registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::super::lock;
use super::blob::Blob;
use super::image::{Image, Manifest};

/// One repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    pub public: bool,
    /// Users with full access besides the owner of the namespace.
    pub members: BTreeSet<String>,
    pub blobs: BTreeMap<String, Blob>,
    pub manifests: BTreeMap<String, Manifest>,
    /// `(tag, digest)`, oldest first. Registries that sort do so when they list.
    pub tags: Vec<(String, String)>,
}

impl Repository {
    /// The manifest that a tag or a digest names.
    pub fn manifest(&self, reference: &str) -> Option<&Manifest> {
        let tagged = self.tags.iter().find(|(tag, _)| tag == reference).map(|(_, digest)| digest.as_str());
        self.manifests.get(tagged.unwrap_or(reference))
    }

    /// Sets a tag.
    pub fn tag(&mut self, tag: &str, digest: &str) {
        match self.tags.iter_mut().find(|(name, _)| name == tag) {
            Some((_, points_to)) => digest.clone_into(points_to),
            None => self.tags.push((tag.to_owned(), digest.to_owned())),
        }
    }

    /// Deletes a tag, or a manifest with all its tags; false when there is neither.
    pub fn delete_manifest(&mut self, reference: &str) -> bool {
        let before = (self.tags.len(), self.manifests.len());
        self.tags.retain(|(tag, digest)| tag != reference && digest != reference);
        self.manifests.remove(reference);
        before != (self.tags.len(), self.manifests.len())
    }
}

/// The repositories of one registry, by name.
#[derive(Default)]
pub struct Store {
    repositories: Mutex<BTreeMap<String, Repository>>,
}

impl Store {
    /// Reads a repository; `None` when it does not exist.
    pub fn read<T>(&self, name: &str, read: impl FnOnce(&Repository) -> T) -> Option<T> {
        lock(&self.repositories).get(name).map(read)
    }

    /// Changes a repository; one that does not exist is created private and empty.
    pub fn write<T>(&self, name: &str, write: impl FnOnce(&mut Repository) -> T) -> T {
        write(lock(&self.repositories).entry(name.to_owned()).or_default())
    }

    pub fn exists(&self, name: &str) -> bool {
        lock(&self.repositories).contains_key(name)
    }

    pub fn names(&self) -> Vec<String> {
        lock(&self.repositories).keys().cloned().collect()
    }

    /// Adds an image with all its manifests and blobs under a tag.
    pub fn put(&self, name: &str, tag: &str, image: &Image) {
        self.write(name, |repository| {
            repository.blobs.extend(image.blobs.iter().map(|blob| (blob.digest.clone(), blob.clone())));
            repository
                .manifests
                .extend(image.manifests.iter().map(|manifest| (manifest.digest.clone(), manifest.clone())));
            repository.tag(tag, image.digest());
        });
    }

    /// A blob of any repository, for the blob store, which does not distinguish repositories.
    pub fn find_blob(&self, digest: &str) -> Option<Blob> {
        lock(&self.repositories).values().find_map(|repository| repository.blobs.get(digest)).cloned()
    }
}
