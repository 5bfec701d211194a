//! Lists of referrers: of registries that have the API, and of those where a tag lists them.

mod api;
mod busy;
mod memory;
mod pushes;
mod tag;
mod unreadable;

use crate::harness::Reply;
use crate::registry_setup::{ALLOW_ALL, RegistrySetup, preset_credential};
use crate::sim::{AuthMode, Image, ImageFormat, Preset, Referrers, media};

const SIGNATURE: &str = "application/vnd.example.signature";
const SBOM: &str = "application/vnd.example.sbom+json";

/// The sample image in a private repository of CNCF Distribution, which has no referrers API.
async fn start() -> RegistrySetup {
    start_with(Preset::distribution(AuthMode::Token)).await
}

/// The same in a registry with the API.
async fn start_with_api() -> RegistrySetup {
    let mut preset = Preset::distribution(AuthMode::Token);
    preset.lists.referrers = Referrers::Index;
    start_with(preset).await
}

async fn start_with(preset: Preset) -> RegistrySetup {
    let more = format!("{}\n{ALLOW_ALL}", preset_credential(&preset));
    RegistrySetup::start(preset, Image::multi_arch("app", ImageFormat::Oci), &more).await
}

/// The path of the image's referrers, and the paths of both sources at the registry.
fn referrers_path(setup: &RegistrySetup) -> String {
    setup.private_path(&format!("referrers/{}", setup.image.digest()))
}

fn tag_path(setup: &RegistrySetup) -> String {
    setup.private_path(&format!("manifests/{}", referrers_tag(setup)))
}

fn referrers_tag(setup: &RegistrySetup) -> String {
    setup.image.digest().replace(':', "-")
}

/// A signature and a list of components of the image.
fn artifacts(setup: &RegistrySetup) -> [Image; 2] {
    [Image::artifact(SIGNATURE, setup.image.top()), Image::artifact(SBOM, setup.image.top())]
}

/// Publishes the referrers tag with a signature and a list of components. Returns the tag's index.
fn publish_list(setup: &RegistrySetup) -> Image {
    let [signature, sbom] = artifacts(setup);
    let list = Image::referrers(&[&signature, &sbom]);
    setup.registry.publish_private(setup.private_repository(), &referrers_tag(setup), &list);
    list
}

/// The artifact types in a list of referrers.
fn types(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some(media::OCI_INDEX), "{reply:?}");
    assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()), "{reply:?}");
    let list = reply.json();
    assert_eq!(list["schemaVersion"], 2, "{list}");
    let referrers = list["manifests"].as_array().unwrap().iter();
    referrers.map(|referrer| referrer["artifactType"].as_str().unwrap_or_default().to_owned()).collect()
}
