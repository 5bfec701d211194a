//! A small generated multi-platform image that every engine can unpack.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Size of the file in each layer: larger than any buffer on the way, so that a blob arrives in many pieces.
const PAYLOAD_SIZE: usize = 1 << 20;

/// An image index, usually of linux/amd64 and linux/arm64, stored as an OCI layout directory.
#[derive(Debug)]
pub(crate) struct Image {
    /// Digest of the index, to which the tag points.
    pub(crate) digest: String,
    pub(crate) platforms: Vec<Platform>,
    layout: TempDir,
}

/// The image of one platform. All strings but the architecture are digests.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) architecture: &'static str,
    /// The digest of the only file in the layer.
    pub(crate) payload: String,
    pub(crate) manifest: String,
    pub(crate) config: String,
    pub(crate) layer: String,
    /// The layer: a gzipped tar.
    pub(crate) layer_bytes: Vec<u8>,
}

impl Image {
    /// Builds an image of two platforms. Images of different names share no blob.
    pub(crate) fn build(name: &str) -> Self {
        Self::build_with(name, &["amd64", "arm64"], PAYLOAD_SIZE)
    }

    /// Builds an image with an incompressible file of `payload_size` bytes in the only layer of each platform.
    pub(crate) fn build_with(name: &str, architectures: &[&'static str], payload_size: usize) -> Self {
        let layout = tempfile::tempdir().expect("a directory for the image");
        let blobs = layout.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("a directory for blobs");

        let (platforms, manifests): (Vec<_>, Vec<_>) =
            architectures.iter().map(|architecture| platform(name, architecture, payload_size, &blobs)).unzip();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let index = blob(&blobs, INDEX, index.to_string().as_bytes());
        let digest = text(&index["digest"]);

        let root = json!({ "schemaVersion": 2, "manifests": [index] });
        fs::write(layout.path().join("index.json"), root.to_string()).expect("index.json is written");
        fs::write(layout.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("oci-layout is written");
        Self { digest, platforms, layout }
    }

    /// The OCI layout directory.
    pub(crate) fn layout(&self) -> &Path {
        self.layout.path()
    }

    /// The file in the OCI layout that holds a blob or manifest.
    pub(crate) fn blob_file(&self, digest: &str) -> PathBuf {
        self.layout().join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    /// The content of a blob or manifest.
    pub(crate) fn read_blob(&self, digest: &str) -> Vec<u8> {
        fs::read(self.blob_file(digest)).unwrap_or_else(|error| panic!("cannot read {digest} of the layout: {error}"))
    }
}

fn platform(name: &str, architecture: &'static str, len: usize, blobs: &Path) -> (Platform, Value) {
    let payload = payload(name, architecture, len);
    let tar = tar_of("usr/share/payload", &payload);
    let layer_bytes = gzip(&tar);
    let layer = blob(blobs, LAYER, &layer_bytes);
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Cmd": ["/bin/true"] },
        "rootfs": { "type": "layers", "diff_ids": [digest_of(&tar)] },
        "history": [{ "created_by": "regpass tests" }],
    });
    let config = blob(blobs, CONFIG, config.to_string().as_bytes());
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    let mut manifest = blob(blobs, MANIFEST, manifest.to_string().as_bytes());
    manifest["platform"] = json!({ "os": "linux", "architecture": architecture });

    let platform = Platform {
        architecture,
        payload: digest_of(&payload),
        manifest: text(&manifest["digest"]),
        config: text(&config["digest"]),
        layer: text(&layer["digest"]),
        layer_bytes,
    };
    (platform, manifest)
}

/// Writes a blob to the layout and returns its descriptor.
fn blob(blobs: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = digest_of(bytes);
    fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes).expect("the blob is written");
    json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    // Uses an implementation in assembler, because an unoptimized one is slow for layers of megabytes.
    digest(&SHA256, bytes).as_ref().iter().fold("sha256:".to_owned(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String accepts all writes");
        hex
    })
}

fn tar_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, name, bytes).expect("a tar in memory");
    tar.into_inner().expect("a tar in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("gzip in memory");
    gzip.finish().expect("gzip in memory")
}

/// Incompressible bytes that differ between images and platforms: a xorshift sequence.
fn payload(name: &str, architecture: &str, len: usize) -> Vec<u8> {
    let mut state =
        name.bytes().chain(architecture.bytes()).fold(1_u64, |state, byte| state.wrapping_mul(31) + u64::from(byte));
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    next.flatten().take(len).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
