//! containerd: pulls an image and pushes it elsewhere, with everything that belongs to it.

use std::fs;
use std::path::PathBuf;

use crate::containerd::{ctr, start};
use crate::process::output;
use crate::push::held::Held;
use crate::push::pushes_in_both_modes;
use crate::scene::{NS, Scene};

pushes_in_both_modes!(pushes_what_it_pulled);

async fn pushes_what_it_pulled(scene: &Scene) {
    let _containerd = start(scene.home()).await;
    let source = scene.regpass.image("python:3.12");
    let pull = ["images", "pull", "--plain-http", "--all-platforms", "--snapshotter=native"];
    output(ctr(scene.home()).args(pull).arg(&source)).await;

    // It knows where the blobs came from and offers to mount them, which only the first registry can.
    for (name, repository) in [("pushed", "library/pushed"), ("reg/team/app", "team/app")] {
        let target = scene.regpass.image(&format!("{name}:1"));
        output(ctr(scene.home()).args(["images", "push", "--plain-http", &target, &source])).await;
        Held::read(&scene.registry, repository, "1").await.assert_is(&scene.image);
    }

    // By the registry's own name. A push carries no `?ns=`, so the path says where it goes.
    let mut push = ctr(scene.home());
    push.args(["images", "push", "--hosts-dir"]).arg(hosts(scene));
    output(push.arg(format!("{NS}/team/mirrored:1")).arg(&source)).await;
    Held::read(&scene.registry, "team/mirrored", "1").await.assert_is(&scene.image);
}

/// Regpass in place of [`NS`], by its alias.
fn hosts(scene: &Scene) -> PathBuf {
    let hosts = scene.home().join("hosts");
    let directory = hosts.join(NS);
    fs::create_dir_all(&directory).expect("hosts directory");
    let regpass = scene.regpass.url("/v2/reg");
    let text = format!("[host.\"{regpass}\"]\ncapabilities = [\"push\", \"resolve\"]\noverride_path = true\n");
    fs::write(directory.join("hosts.toml"), text).expect("hosts.toml");
    hosts
}
