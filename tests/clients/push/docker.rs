//! `docker push` of one local image under every name that an image can have here.

use crate::docker::{docker, start};
use crate::process::{output, stdout};
use crate::push::held::Held;
use crate::push::local::{LOCAL, archive};
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

pushes_in_both_modes!(pushes_under_every_name);

async fn pushes_under_every_name(scene: &Scene) {
    let _dockerd = start(scene.home(), None).await;
    let platform = &scene.image.platforms[0];
    let archive = archive(scene.home(), platform, scene.image.layout()).await;
    output(docker(scene.home()).arg("load").arg("--input").arg(archive)).await;

    // docker offers to mount what it has pushed before. From another registry nothing can be mounted; there it uploads.
    let names = [
        ("pushed", "library/pushed", false),
        ("docker.io/library/again", "library/again", true),
        ("reg/team/app", "team/app", false),
        ("reg/team/other", "team/other", true),
    ];
    for (name, repository, mounted) in names {
        let image = scene.regpass.image(&format!("{name}:1"));
        output(docker(scene.home()).args(["tag", LOCAL, &image])).await;
        let pushed = stdout(docker(scene.home()).args(["push", &image])).await;
        assert_eq!(pushed.contains(": Mounted from "), mounted, "{name}: {pushed}");

        let held = Held::read(&scene.registry, repository, "1").await;
        assert!(pushed.contains(&format!("\n1: digest: {} size: ", held.digest())), "{pushed}");
        held.assert_unpacks_to(platform);
    }
    let again = scene.regpass.image("pushed:1");
    let pushed = stdout(docker(scene.home()).args(["push", &again])).await;
    assert!(pushed.contains(": Layer already exists"), "{pushed}");
}
