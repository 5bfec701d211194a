//! containerd: pulls an image and pushes it elsewhere, with everything that belongs to it.

use crate::containerd::{ctr, mirror, start};
use crate::process::output;
use crate::push::held::Held;
use crate::push::pushes_in_both_modes;
use crate::scene::{NS, Scene};

pushes_in_both_modes!(pushes_what_it_pulled);

async fn pushes_what_it_pulled(scene: &Scene) {
    let _containerd = start(scene).await;
    let source = scene.regpass.image("python:3.12");
    let pull = ["images", "pull", "--plain-http", "--all-platforms", "--snapshotter=native"];
    output(ctr(scene).args(pull).arg(&source)).await;

    // It knows where the blobs came from and offers to mount them, which only the first registry can.
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let target = scene.regpass.image(&format!("{name}:1"));
        output(ctr(scene).args(["images", "push", "--plain-http", &target, &source])).await;
        Held::read(&scene.registry, repository, "1").await.assert_is(&scene.image);
    }

    // As a mirror's client: with `?ns=`.
    let mut push = ctr(scene);
    push.args(["images", "push", "--hosts-dir"]).arg(mirror(scene, NS));
    output(push.arg(format!("{NS}/team/mirrored:1")).arg(&source)).await;
    Held::read(&scene.registry, "team/mirrored", "1").await.assert_is(&scene.image);
}
