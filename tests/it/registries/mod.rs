//! Every simulated registry behind regpass: the same checks for all of them, and what is special about each.

mod matrix;
mod mounted_secrets;
mod specifics;

use crate::registry_setup::{ALLOW_ALL, RegistrySetup, preset_credential};
use crate::sim::{Image, ImageFormat, Preset};

#[tokio::test(start_paused = true)]
async fn an_image_is_pulled_with_the_presets_credential() {
    for (profile, preset) in Preset::all() {
        let more = format!("profile = \"{profile}\"\n{ALLOW_ALL}\n{}", preset_credential(&preset));
        let setup = RegistrySetup::start(preset, Image::multi_arch("app", ImageFormat::Oci), &more).await;
        let manifest = setup.get(&setup.private_manifest()).await;
        assert_eq!(manifest.status, 200, "{profile}: {manifest:?}");
        assert_eq!(manifest.header("docker-content-digest"), Some(setup.image.digest()), "{profile}");
        let (blob, target) = (&setup.image.blobs[0], setup.private_layer());
        let (got, head) = (setup.get(&target).await, setup.regpass.head(&target).await);
        assert_eq!((got.status.as_u16(), got.body.len() as u64), (200, blob.len()), "{profile}: {got:?}");
        assert_eq!(head.status, 200, "{profile}: {head:?}");
        assert_eq!(head.header("content-length"), Some(&*blob.len().to_string()), "{profile}: {head:?}");
        let tags = setup.get(&setup.private_path("tags/list")).await;
        assert_eq!(tags.status, 200, "{profile}: {tags:?}");
        setup.sim.finish();
    }
}
