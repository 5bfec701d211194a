//! The operations of the crate oci-client.

use oci_client::RegistryOperation;
use oci_client::client::{BlobResponse, ImageLayer};
use oci_client::manifest::{
    OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciImageIndex, OciImageManifest, OciManifest,
};

use crate::way::{Result, Way, digest, expect};

pub const NAMES: &[&str] = &[
    "login",
    "catalog",
    "list tags",
    "head manifest",
    "head blob",
    "pull index",
    "pull manifest",
    "pull config",
    "pull blob",
    "pull a part of a blob",
    "pull image",
    "push blob",
    "push chunked",
    "push image",
    "push index",
    "mount",
    "list referrers",
];

/// The media type of the layers of the testbed's image.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

pub async fn run(name: &str, way: &Way) -> Result {
    match name {
        "login" => login(way).await,
        "catalog" => catalog(way).await,
        "list tags" => list_tags(way).await,
        "head manifest" => head_manifest(way).await,
        "head blob" => head_blob(way).await,
        "pull index" => pull_index(way).await,
        "pull manifest" => pull_manifest(way).await,
        "pull config" => pull_config(way).await,
        "pull blob" => pull_blob(way).await,
        "pull a part of a blob" => pull_part(way).await,
        "pull image" => pull_image(way).await,
        "push blob" => push_blob(way, "blob", true).await,
        "push chunked" => push_blob(way, "chunked", false).await,
        "push image" => push_image(way).await,
        "push index" => push_index(way).await,
        "mount" => mount(way).await,
        "list referrers" => list_referrers(way).await,
        _ => Err(format!("no operation {name:?}").into()),
    }
}

async fn login(way: &Way) -> Result {
    way.client(true).auth(&way.image("3.12"), &way.auth, RegistryOperation::Pull).await?;
    Ok(())
}

async fn catalog(way: &Way) -> Result {
    let image = way.image("3.12");
    let catalog = way.client(true).catalog(&image, &way.auth, None, None).await?;
    expect(catalog.repositories.iter().any(|name| name == image.repository()), true)
}

async fn list_tags(way: &Way) -> Result {
    let mut tags = way.client(true).list_tags(&way.image("3.12"), &way.auth, None, None).await?.tags;
    tags.sort();
    expect(tags, ["3.12", "amd64", "docker"].map(str::to_owned).to_vec())
}

async fn head_manifest(way: &Way) -> Result {
    expect(way.client(true).fetch_manifest_digest(&way.image("3.12"), &way.auth).await?, way.digest("index"))
}

async fn head_blob(way: &Way) -> Result {
    let client = way.client(true);
    let image = way.image("3.12");
    client.store_auth_if_needed(image.resolve_registry(), &way.auth).await;
    expect(client.blob_exists(&image, &way.digest("layer")).await?, true)
}

async fn pull_index(way: &Way) -> Result {
    let (manifest, digest) = way.client(true).pull_manifest(&way.image("3.12"), &way.auth).await?;
    expect(matches!(manifest, OciManifest::ImageIndex(_)), true)?;
    expect(digest, way.digest("index"))
}

async fn pull_manifest(way: &Way) -> Result {
    let (_, digest) = way.client(true).pull_manifest(&way.image("amd64"), &way.auth).await?;
    expect(digest, way.digest("manifest"))
}

async fn pull_config(way: &Way) -> Result {
    let (_, _, config) = way.client(true).pull_manifest_and_config(&way.image("amd64"), &way.auth).await?;
    expect(digest(config.as_bytes()), way.digest("config"))
}

async fn pull_blob(way: &Way) -> Result {
    let client = way.client(true);
    let image = way.image("amd64");
    client.store_auth_if_needed(image.resolve_registry(), &way.auth).await;
    let mut content = Vec::new();
    client.pull_blob(&image, &*way.digest("layer"), &mut content).await?;
    expect(digest(&content), way.digest("layer"))
}

async fn pull_part(way: &Way) -> Result {
    let client = way.client(true);
    let image = way.image("amd64");
    client.store_auth_if_needed(image.resolve_registry(), &way.auth).await;
    let part = client.pull_blob_stream_partial(&image, &*way.digest("layer"), 100, Some(50)).await?;
    expect(matches!(part, BlobResponse::Partial(stream) if stream.content_length == Some(50)), true)
}

async fn pull_image(way: &Way) -> Result {
    let pulled = way.client(true).pull(&way.image("amd64"), &way.auth, vec![LAYER]).await?;
    expect(digest(&pulled.layers[0].data), way.digest("layer"))
}

async fn push_blob(way: &Way, name: &str, in_one_piece: bool) -> Result {
    let image = way.new_image(name, "unused");
    let client = way.client(in_one_piece);
    client.store_auth_if_needed(image.resolve_registry(), &way.auth).await;
    let content = way.bytes(name);
    client.push_blob(&image, content.clone(), &digest(&content)).await?;
    way.expect_blob(&image, &content).await
}

async fn push_image(way: &Way) -> Result {
    let image = way.new_image("image", "pushed");
    let layer = ImageLayer::oci_v1(way.bytes("image"), None);
    let config = way.config("image");
    let manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, None);
    way.client(false).push(&image, &[layer], config, &way.auth, Some(manifest)).await?;
    way.expect_image(&image, &way.bytes("image")).await
}

async fn push_index(way: &Way) -> Result {
    let image = way.new_image("index", "one");
    way.store(&image).await?;
    let digest = way.stored_digest(&image).await?;
    let (manifest, _) = way.client(true).pull_manifest_raw(&image, &way.auth, &[OCI_IMAGE_MEDIA_TYPE]).await?;
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_INDEX_MEDIA_TYPE,
        "manifests": [{
            "mediaType": OCI_IMAGE_MEDIA_TYPE,
            "digest": digest,
            "size": manifest.len(),
            "platform": { "os": "linux", "architecture": "amd64" },
        }],
    });
    let index: OciImageIndex = serde_json::from_value(index)?;
    let target = way.new_image("index", "index");
    way.client(true).push_manifest_list(&target, &way.auth, index).await?;
    way.stored_digest(&target).await.map(|_| ())
}

async fn mount(way: &Way) -> Result {
    let image = way.new_image("mount", "unused");
    let client = way.client(true);
    client.store_auth_if_needed(image.resolve_registry(), &way.auth).await;
    client.mount_blob(&image, &way.image("amd64"), &way.digest("layer")).await?;
    expect(client.blob_exists(&image, &way.digest("layer")).await?, true)
}

/// The registry has no referrers API, and the image no fallback tag: the list is empty.
async fn list_referrers(way: &Way) -> Result {
    let client = way.client(true);
    let image = way.image("amd64");
    client.store_auth_if_needed(image.resolve_registry(), &way.auth).await;
    let image = image.clone_with_digest(way.digest("manifest"));
    let referrers = client.pull_referrers(&image, None).await?;
    expect(referrers.manifests.len(), 0)
}
