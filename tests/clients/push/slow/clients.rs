//! The clients that push images, each with a layer that outlives ten tokens.

use std::path::Path;

use tokio::process::Command;

use super::line::{LAYER, Line};
use crate::buildah::buildah;
use crate::docker::{docker, start};
use crate::image::Image;
use crate::podman::podman;
use crate::process::{output, private, stdout};
use crate::push::local::{LOCAL, archive};

/// All at once, each with a line of its own: the time goes by in waiting.
#[tokio::test]
async fn no_client_notices() {
    let image = Image::of("slow", &["amd64"], LAYER);
    tokio::join!(by_docker(&image), by_skopeo(&image), by_engine(podman, &image), by_engine(buildah, &image));
}

async fn by_docker(image: &Image) {
    let line = Line::set().await;
    let _dockerd = start(line.home(), None).await;
    let archive = archive(line.home(), &image.platforms[0], image.layout()).await;
    output(docker(line.home()).arg("load").arg("--input").arg(archive)).await;
    let name = line.name();
    output(docker(line.home()).args(["tag", LOCAL, &name])).await;
    line.carries(image, docker(line.home()).args(["push", &name])).await;
    line.close();
}

async fn by_skopeo(image: &Image) {
    let line = Line::set().await;
    let mut skopeo = private("skopeo", line.home());
    skopeo.args(["--override-arch=amd64", "copy", "--dest-tls-verify=false"]);
    skopeo.arg(format!("oci:{}", image.layout().display())).arg(format!("docker://{}", line.name()));
    line.carries(image, &mut skopeo).await;
    line.close();
}

/// podman and buildah take the same words.
async fn by_engine(engine: impl Fn(&Path) -> Command, image: &Image) {
    let line = Line::set().await;
    let archive = archive(line.home(), &image.platforms[0], image.layout()).await;
    let archive = format!("docker-archive:{}", archive.display());
    let id = stdout(engine(line.home()).args(["pull", "--quiet", &archive])).await;
    let name = format!("docker://{}", line.name());
    line.carries(image, engine(line.home()).args(["push", "--tls-verify=false", id.trim(), &name])).await;
    line.close();
}
