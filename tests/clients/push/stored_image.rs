//! An image with all its manifests and blobs, read from the registry itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::image::{Image, Platform, digest_of};
use crate::registry::Registry;

#[derive(Debug)]
pub(crate) struct StoredImage {
    /// Digest and content. The requested manifest is the first; an index is followed by its manifests.
    manifests: Vec<(String, Value)>,
    /// Content by digest.
    blobs: BTreeMap<String, Vec<u8>>,
}

impl StoredImage {
    /// Reads the manifest `reference`, all manifests that it names, and their blobs.
    pub(crate) async fn read(registry: &Registry, repository: &str, reference: &str) -> Self {
        let mut image = Self { manifests: Vec::new(), blobs: BTreeMap::new() };
        let mut references = vec![reference.to_owned()];
        while let Some(reference) = references.pop() {
            let reply = registry.get(repository, &format!("manifests/{reference}")).await;
            assert_eq!(reply.status, 200, "{repository}:{reference}: {}", reply.text());
            let digest = digest_of(&reply.body);
            assert!(
                !reference.contains(':') || reference == digest,
                "the manifest {reference} has the digest {digest}"
            );
            let manifest: Value = serde_json::from_slice(&reply.body).expect("JSON");
            references.extend(digests(&manifest["manifests"]));
            let config = manifest["config"]["digest"].as_str().map(str::to_owned);
            for blob in digests(&manifest["layers"]).into_iter().chain(config) {
                let bytes = stored_blob(registry, repository, &blob).await;
                image.blobs.insert(blob, bytes);
            }
            image.manifests.push((digest, manifest));
        }
        image
    }

    /// The digest of the requested manifest.
    pub(crate) fn digest(&self) -> &str {
        &self.manifests[0].0
    }

    /// The digest of the configuration, which engines call the image's ID.
    pub(crate) fn config(&self) -> &str {
        self.manifests[0].1["config"]["digest"].as_str().expect("a config")
    }

    /// Checks that the registry has all manifests and blobs of `image`, and no others.
    pub(crate) fn assert_equals(&self, image: &Image) {
        assert_eq!(self.digest(), image.digest);
        let platforms = image.platforms.iter();
        let manifests: BTreeSet<&str> = self.manifests[1..].iter().map(|(digest, _)| &**digest).collect();
        assert_eq!(manifests, platforms.clone().map(|platform| &*platform.manifest).collect());
        let blobs: BTreeSet<&String> = self.blobs.keys().collect();
        assert_eq!(blobs, platforms.flat_map(|platform| [&platform.config, &platform.layer]).collect());
    }

    /// Checks that this is the image of one platform. The engine may have compressed its layer again.
    pub(crate) fn assert_unpacks_to(&self, platform: &Platform) {
        assert_eq!(self.config(), platform.config);
        let layers = digests(&self.manifests[0].1["layers"]);
        let blobs: Vec<Vec<u8>> = layers.iter().map(|layer| self.blobs[layer].clone()).collect();
        assert_layers(&layers, &blobs, platform);
    }
}

/// Checks that the blobs have these digests and unpack to the only layer of `platform`.
pub(crate) fn assert_layers(digests: &[String], blobs: &[Vec<u8>], platform: &Platform) {
    assert_eq!(digests, blobs.iter().map(|blob| digest_of(blob)).collect::<Vec<_>>());
    let unpack = |blob: &Vec<u8>| digest_of(&unpacked(blob));
    assert_eq!(blobs.iter().map(unpack).collect::<Vec<_>>(), [unpack(&platform.layer_bytes)]);
}

/// Reads a blob and verifies its digest.
pub(crate) async fn stored_blob(registry: &Registry, repository: &str, digest: &str) -> Vec<u8> {
    let reply = registry.get(repository, &format!("blobs/{digest}")).await;
    assert_eq!((reply.status, &*digest_of(&reply.body)), (200, digest), "blob {digest} of {repository}");
    reply.body
}

fn digests(descriptors: &Value) -> Vec<String> {
    let descriptors = descriptors.as_array().into_iter().flatten();
    descriptors.map(|descriptor| descriptor["digest"].as_str().expect("a digest").to_owned()).collect()
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut tar).expect("a gzipped layer");
    tar
}
