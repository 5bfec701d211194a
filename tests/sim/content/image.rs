//! Images: valid and small, with the same bytes for the same name.

use serde_json::{Value, json};

use super::archive;
use super::blob::{Blob, sha256};

/// The media types of OCI and of docker.
pub mod media {
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    pub const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
}

/// The media types that an image uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    Oci,
    Docker,
}

#[derive(Clone, Debug)]
pub struct Manifest {
    pub digest: String,
    pub media_type: String,
    pub bytes: bytes::Bytes,
}

impl Manifest {
    pub fn new(media_type: &str, bytes: impl Into<bytes::Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: sha256(&bytes), media_type: media_type.to_owned(), bytes }
    }

    pub(in super::super) fn document(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "size": self.bytes.len(), "digest": self.digest })
    }
}

/// A manifest or index with everything that it refers to.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest that a tag points to is the last one, after those that it refers to.
    pub manifests: Vec<Manifest>,
    pub blobs: Vec<Blob>,
}

impl Image {
    /// An amd64 image with one layer, which holds one small file.
    pub fn single(name: &str, format: ImageFormat) -> Self {
        Self::for_architecture(name, "amd64", format, &[])
    }

    /// An index of an amd64 and an arm64 image.
    pub fn multi_arch(name: &str, format: ImageFormat) -> Self {
        let parts = ["amd64", "arm64"]
            .map(|architecture| (architecture, Self::for_architecture(name, architecture, format, &[])));
        let children: Vec<Value> = parts
            .iter()
            .map(|(architecture, part)| {
                let mut child = part.top().descriptor();
                child["platform"] = json!({ "architecture": architecture, "os": "linux" });
                child
            })
            .collect();
        let media_type = if format == ImageFormat::Oci { media::OCI_INDEX } else { media::DOCKER_LIST };
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children });
        let mut image = Self { manifests: Vec::new(), blobs: Vec::new() };
        for (_, part) in parts {
            image.manifests.extend(part.manifests);
            image.blobs.extend(part.blobs);
        }
        image.manifests.push(Manifest::new(media_type, index.to_string()));
        image
    }

    /// An amd64 image with further layers. They have to be archives only if a container engine unpacks them.
    pub fn with_layers(name: &str, format: ImageFormat, layers: &[Blob]) -> Self {
        Self::for_architecture(name, "amd64", format, layers)
    }

    /// An artifact that refers to another manifest, as signatures and attestations do.
    pub fn artifact(artifact_type: &str, subject: &Manifest) -> Self {
        let empty = Blob::new("{}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": descriptor(media::OCI_EMPTY, &empty),
            "layers": [descriptor(media::OCI_EMPTY, &empty)],
            "subject": subject.descriptor(),
        });
        Self { manifests: vec![Manifest::new(media::OCI_MANIFEST, manifest.to_string())], blobs: vec![empty] }
    }

    /// An index that lists these artifacts, as a referrers tag does.
    pub fn referrers(artifacts: &[&Self]) -> Self {
        let entries = artifacts.iter().map(|artifact| {
            let mut entry = artifact.top().descriptor();
            entry["artifactType"] = artifact.top().document()["artifactType"].clone();
            entry
        });
        let entries: Vec<Value> = entries.collect();
        let index = json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": entries });
        Self { manifests: vec![Manifest::new(media::OCI_INDEX, index.to_string())], blobs: Vec::new() }
    }

    /// The manifest that a tag points to.
    pub fn top(&self) -> &Manifest {
        self.manifests.last().expect("an image has a manifest")
    }

    /// The digest of the manifest that a tag points to.
    pub fn digest(&self) -> &str {
        &self.top().digest
    }

    /// The digests of the layers and configurations, in the order of the manifests.
    pub fn blob_digests(&self) -> Vec<&str> {
        self.blobs.iter().map(|blob| blob.digest.as_str()).collect()
    }

    fn for_architecture(name: &str, architecture: &str, format: ImageFormat, further_layers: &[Blob]) -> Self {
        let text = format!("{name} for {architecture}, from the regpass simulator\n");
        let archive = archive::tar(&[("hello.txt", text.as_bytes())]);
        let layers: Vec<Blob> = [Blob::new(archive::gzip(&archive))].iter().chain(further_layers).cloned().collect();
        let config = Blob::new(config(architecture, &archive, further_layers));
        let [manifest_type, config_type, layer_type] = match format {
            ImageFormat::Oci => [media::OCI_MANIFEST, media::OCI_CONFIG, media::OCI_LAYER],
            ImageFormat::Docker => [media::DOCKER_MANIFEST, media::DOCKER_CONFIG, media::DOCKER_LAYER],
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": descriptor(config_type, &config),
            "layers": layers.iter().map(|layer| descriptor(layer_type, layer)).collect::<Vec<_>>(),
        });
        let blobs = layers.into_iter().chain([config]).collect();
        Self { manifests: vec![Manifest::new(manifest_type, manifest.to_string())], blobs }
    }
}

fn config(architecture: &str, archive: &[u8], further_layers: &[Blob]) -> String {
    let first = sha256(archive);
    let diffs: Vec<&str> =
        [first.as_str()].into_iter().chain(further_layers.iter().map(|layer| layer.digest.as_str())).collect();
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": "2024-01-30T00:00:00Z",
        "config": { "Cmd": ["/hello.txt"] },
        "rootfs": { "type": "layers", "diff_ids": diffs },
        "history": diffs.iter().map(|_| json!({ "created_by": "regpass simulator" })).collect::<Vec<_>>(),
    })
    .to_string()
}

fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "size": blob.len(), "digest": blob.digest })
}
