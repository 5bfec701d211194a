//! The clients that push images, each with a layer that outlives ten tokens.

use super::line::Line;
use crate::process::{output, private, stdout};
use crate::push::local::{LOCAL, archive};

#[tokio::test]
async fn docker() {
    use crate::docker::{docker, start};

    let line = Line::set().await;
    let home = line.home().to_owned();
    let _dockerd = start(&home, None).await;
    let archive = archive(&home, &line.image.platforms[0], line.image.layout()).await;
    output(docker(&home).arg("load").arg("--input").arg(archive)).await;
    output(docker(&home).args(["tag", LOCAL, &line.name()])).await;
    let name = line.name();
    line.carries(docker(&home).args(["push", &name])).await;
}

#[tokio::test]
async fn skopeo() {
    let line = Line::set().await;
    let mut skopeo = private("skopeo", line.home());
    skopeo.args(["--override-arch=amd64", "copy", "--dest-tls-verify=false"]);
    skopeo.arg(format!("oci:{}", line.image.layout().display())).arg(format!("docker://{}", line.name()));
    line.carries(&mut skopeo).await;
}

#[tokio::test]
async fn podman() {
    use crate::podman::podman;

    let line = Line::set().await;
    let archive = archive(line.home(), &line.image.platforms[0], line.image.layout()).await;
    let archive = format!("docker-archive:{}", archive.display());
    let id = stdout(podman(line.home()).args(["pull", "--quiet", &archive])).await;
    let mut push = podman(line.home());
    push.args(["push", "--tls-verify=false", id.trim(), &format!("docker://{}", line.name())]);
    line.carries(&mut push).await;
}

#[tokio::test]
async fn buildah() {
    use crate::buildah::buildah;

    let line = Line::set().await;
    let archive = archive(line.home(), &line.image.platforms[0], line.image.layout()).await;
    let archive = format!("docker-archive:{}", archive.display());
    let id = stdout(buildah(line.home()).args(["pull", "--quiet", &archive])).await;
    let mut push = buildah(line.home());
    push.args(["push", "--tls-verify=false", id.trim(), &format!("docker://{}", line.name())]);
    line.carries(&mut push).await;
}
