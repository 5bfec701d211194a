//! The clients that push images, each with a layer whose upload lasts ten token lifetimes.

use super::slow_link::{LAYER_SIZE, SlowLink};
use crate::docker::{docker, start};
use crate::engine::{BUILDAH, Engine, PODMAN};
use crate::image::Image;
use crate::process::{isolated, output};
use crate::push::docker_archive::{LOCAL_NAME, docker_archive};

/// All clients push at the same time, each through its own link, because the test mostly waits.
#[tokio::test]
async fn upload_longer_than_ten_token_lifetimes_succeeds_with_every_client() {
    let image = Image::build_with("slow", &["amd64"], LAYER_SIZE);
    tokio::join!(
        push_with_docker(&image),
        push_with_skopeo(&image),
        push_with(PODMAN, &image),
        push_with(BUILDAH, &image)
    );
}

async fn push_with_docker(image: &Image) {
    let link = SlowLink::start().await;
    let _dockerd = start(link.home(), None).await;
    let archive = docker_archive(link.home(), image, &image.platforms[0]).await;
    output(docker(link.home()).arg("load").arg("--input").arg(archive)).await;
    let name = link.image_name();
    output(docker(link.home()).args(["tag", LOCAL_NAME, &name])).await;
    link.assert_pushes(image, docker(link.home()).args(["push", &name])).await;
    link.finish();
}

async fn push_with_skopeo(image: &Image) {
    let link = SlowLink::start().await;
    let mut skopeo = isolated("skopeo", link.home());
    skopeo.args(["--override-arch=amd64", "copy", "--dest-tls-verify=false"]);
    skopeo.arg(format!("oci:{}", image.layout().display())).arg(format!("docker://{}", link.image_name()));
    link.assert_pushes(image, &mut skopeo).await;
    link.finish();
}

async fn push_with(engine: Engine, image: &Image) {
    let link = SlowLink::start().await;
    let id = engine.load(link.home(), image, &image.platforms[0]).await;
    let target = format!("docker://{}", link.image_name());
    link.assert_pushes(image, engine.command(link.home()).args(["push", "--tls-verify=false", &id, &target])).await;
    link.finish();
}
