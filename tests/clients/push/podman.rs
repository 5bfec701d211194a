//! `podman push` of a local image, which compresses its layers on the way.

use std::fs;

use crate::podman::podman;
use crate::process::{output, stdout};
use crate::push::held::Held;
use crate::push::local::archive;
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

pushes_in_both_modes!(pushes_by_name_and_alias);

async fn pushes_by_name_and_alias(scene: &Scene) {
    for platform in &scene.image.platforms {
        let archive = archive(scene.home(), platform, scene.image.layout()).await;
        let archive = format!("docker-archive:{}", archive.display());
        let id = stdout(podman(scene.home()).args(["pull", "--quiet", &archive])).await;
        for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
            let tag = platform.architecture;
            let image = format!("docker://{}", scene.regpass.image(&format!("{name}:{tag}")));
            let digest = scene.home().join("digest");
            let mut push = podman(scene.home());
            push.args(["push", "--quiet", "--tls-verify=false", "--digestfile"]).arg(&digest);
            output(push.args([id.trim(), &image])).await;

            let held = Held::read(&scene.registry, repository, tag).await;
            assert_eq!(held.digest(), fs::read_to_string(&digest).expect("the digest file"), "{name}");
            held.assert_unpacks_to(platform);
        }
    }
}
