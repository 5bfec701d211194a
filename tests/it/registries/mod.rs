//! Every registry through the same suite: to a plain client each looks like the others.

mod kinds;
mod matrix;
mod mounted;
mod particulars;

use crate::harness::{Regpass, table};
use crate::sim::{Family, Image, Preset, Sim};

/// A registry as regpass comes to know it: by its profile's name, with its login where it has one.
struct World {
    sim: Sim,
    regpass: Regpass,
    image: Image,
    private: &'static str,
}

impl World {
    async fn of(profile: &str, preset: Preset) -> Self {
        let sim = Sim::memory();
        let can = preset.can.clone();
        let registry = sim.start(preset).await;
        let image = Image::multi_arch("app", Family::Oci);
        registry.furnish("1", &image);
        let login = can.login.map_or(String::new(), |(user, password)| {
            format!("credential = {{ source = \"password\", username = '{user}', password = '{password}' }}")
        });
        let host = registry.authority().to_owned();
        let more = format!("profile = \"{profile}\"\nallow = [\"pull\", \"push\", \"delete\"]\n{login}");
        let text = format!("default_registry = \"{host}\"\n{}", table(&host, &registry, &more));
        let regpass = Regpass::start(&sim, &text);
        Self { sim, regpass, image, private: can.private }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_is_pulled_with_the_login() {
    for (profile, preset) in Preset::all() {
        let world = World::of(profile, preset).await;
        let name = world.private;
        let manifest = world.regpass.get(&format!("/v2/{name}/manifests/1")).await;
        assert_eq!(manifest.status, 200, "{profile}: {manifest:?}");
        assert_eq!(manifest.header("docker-content-digest"), Some(world.image.digest()), "{profile}");
        let blob = &world.image.blobs[0];
        let target = format!("/v2/{name}/blobs/{}", blob.digest);
        let (got, head) = (world.regpass.get(&target).await, world.regpass.head(&target).await);
        assert_eq!((got.status.as_u16(), got.body.len() as u64), (200, blob.len()), "{profile}: {got:?}");
        assert_eq!(head.status, 200, "{profile}: {head:?}");
        assert_eq!(head.header("content-length"), Some(&*blob.len().to_string()), "{profile}: {head:?}");
        let tags = world.regpass.get(&format!("/v2/{name}/tags/list")).await;
        assert_eq!(tags.status, 200, "{profile}: {tags:?}");
        world.sim.finish();
    }
}
