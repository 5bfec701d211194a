//! dockerd with both of its image stores, the docker CLI and buildx.

use std::fs;

use serde_json::json;

use super::operations::{Operation, run};
use super::root::command;
use super::target::Target;
use crate::docker::{READY, settings};
use crate::process::Daemon;

const PREPARATION: &str = "export DOCKER_HOST=unix://$HOME/docker.sock
    mkdir -p context && echo hello >context/hello.txt
    printf 'FROM %s\\nCOPY hello.txt /\\n' $NAMES/python:3.12 >context/Dockerfile";

const OPERATIONS: &[Operation] = &[
    Operation::new("pull", "docker pull --platform=linux/amd64 $NAMES/python:3.12 | grep \"^Digest: $INDEX$\"")
        .also_at_simulators(),
    Operation::new(
        "push",
        "docker tag $NAMES/python:3.12 $NAMES/pushed:1 && docker push --platform=linux/amd64 $NAMES/pushed:1",
    )
    .stores("pushed", "1")
    .also_at_simulators(),
    Operation::new(
        "mount",
        "docker tag $NAMES/python:3.12 $NAMES/mounted:1
        docker push --platform=linux/amd64 $NAMES/mounted:1 | grep 'Mounted from library/'",
    )
    .stores("mounted", "1"),
    Operation::new("build and push", "docker build -q --pull -t $NAMES/built:1 context && docker push $NAMES/built:1")
        .stores("built", "1"),
    Operation::new("buildx build --push", "docker buildx build --push -t $NAMES/buildx:1 context")
        .stores("buildx", "1")
        .also_at_simulators(),
    Operation::new("copy", "docker buildx imagetools create -t $NAMES/copied:1 $NAMES/python:3.12")
        .stores("copied", "1"),
    Operation::new("pull manifest", "docker buildx imagetools inspect $NAMES/python:3.12 | grep $INDEX")
        .also_at_simulators(),
    Operation::new(
        "push index",
        "docker manifest create --insecure $NAMES/index:1 $NAMES/python@$MANIFEST
        docker manifest push --insecure $NAMES/index:1",
    )
    .stores("index", "1"),
    Operation::new("login", "docker login -u any -p any $REGISTRY"),
    Operation::new("search", "docker search $REGISTRY/python | grep python")
        .fails_because("docker searches with Docker Hub's old API, which Debian's registry does not have"),
];

#[tokio::test]
async fn docker_with_the_containerd_image_store_works_as_it_does_directly() {
    run_with_store(" (containerd image store)", "native", true).await;
}

#[tokio::test]
async fn docker_with_the_classic_image_store_works_as_it_does_directly() {
    run_with_store(" (classic image store)", "vfs", false).await;
}

async fn run_with_store(store: &str, driver: &str, is_containerd: bool) {
    let targets = Target::all().await;
    let mut daemons = Vec::new();
    for target in &targets {
        let mut settings = settings(target.home());
        settings["storage-driver"] = driver.into();
        settings["features"] = json!({ "containerd-snapshotter": is_containerd });
        let settings = settings.as_object_mut().expect("an object");
        // Versions of the newest dockerd do not know it any more.
        settings.remove("deprecated-key-path");
        let file = target.home().join("daemon.json");
        fs::write(&file, json!(settings).to_string()).expect("daemon.json is written");
        let mut dockerd = command("dockerd", target.home());
        dockerd.arg("--config-file").arg(file);
        daemons.push(Daemon::start_ready("dockerd", dockerd, READY).await);
    }
    run("docker", store, targets, daemons, PREPARATION, OPERATIONS).await;
}
