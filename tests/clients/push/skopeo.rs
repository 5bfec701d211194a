//! skopeo: copies whole indexes byte for byte, converts, copies within a registry, and deletes.

use crate::process::{output, private};
use crate::push::held::Held;
use crate::push::pushes_in_both_modes;
use crate::scene::Scene;

pushes_in_both_modes!(copies_and_deletes);

async fn copies_and_deletes(scene: &Scene) {
    let layout = format!("oci:{}", scene.image.layout().display());
    let named = |name: &str| format!("docker://{}", scene.regpass.image(name));
    for (name, repository) in
        [("pushed", "library/pushed"), ("docker.io/library/again", "library/again"), ("reg/team/app", "team/app")]
    {
        skopeo(scene, &["copy", "--all", "--dest-tls-verify=false", &layout, &named(&format!("{name}:1"))]).await;
        Held::read(&scene.registry, repository, "1").await.assert_is(&scene.image);
    }

    // Through regpass on both sides.
    let (python, target) = (named("python:3.12"), named("reg/team/copy:1"));
    skopeo(scene, &["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", &python, &target]).await;
    Held::read(&scene.registry, "team/copy", "1").await.assert_is(&scene.image);

    let platform = &scene.image.platforms[0];
    let architecture = format!("--override-arch={}", platform.architecture);
    let converted = named("converted:1");
    let copy = [&architecture, "copy", "--format=v2s2", "--dest-tls-verify=false", &layout, &converted];
    skopeo(scene, &copy).await;
    Held::read(&scene.registry, "library/converted", "1").await.assert_unpacks_to(platform);

    skopeo(scene, &["delete", "--tls-verify=false", &named("reg/team/app:1")]).await;
    assert_eq!(scene.registry.get("team/app", "manifests/1").await.status, 404);
}

async fn skopeo(scene: &Scene, words: &[&str]) {
    output(private("skopeo", scene.home()).args(words)).await;
}
