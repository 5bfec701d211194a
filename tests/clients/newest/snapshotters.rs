//! containerd with its command `ctr`, and the tools of the snapshotters soci and stargz, which use containerd's images.

use std::fs;

use super::operations::{Operation, run};
use super::root::command;
use super::target::Target;
use crate::containerd::READY;
use crate::process::Daemon;

const PREPARATION: &str = "ctr() { command ctr --address=$HOME/containerd.sock \"$@\"; }
    soci() { command soci --address=$HOME/containerd.sock \"$@\"; }
    remote() { command ctr-remote --address=$HOME/containerd.sock \"$@\"; }
    pull='images pull --plain-http --snapshotter=native'";

#[tokio::test]
async fn containerd_works_as_it_does_directly() {
    const OPERATIONS: &[Operation] = &[
        Operation::new(
            "pull index",
            "ctr $pull --all-platforms $NAMES/python:3.12 && ctr images ls | grep $INDEX && ctr content ls -q | grep $LAYER",
        )
        .also_at_simulators(),
        Operation::new("push index", "ctr images push --plain-http $NAMES/pushed:1 $NAMES/python:3.12")
            .stores("pushed", "1")
            .also_at_simulators(),
        Operation::new("pull in the client", "ctr $pull --local $NAMES/python:3.12 && ctr images ls | grep $INDEX"),
        Operation::new("push from the client", "ctr images push --local --plain-http $NAMES/local:1 $NAMES/python:3.12")
            .stores("local", "1"),
        Operation::new("fetch", "ctr content fetch --plain-http $NAMES/python:3.12"),
    ];
    run_with_containerd("containerd", OPERATIONS).await;
}

#[tokio::test]
async fn soci_works_as_it_does_directly() {
    const OPERATIONS: &[Operation] = &[Operation::new(
        "push index of an image",
        "ctr $pull --local --platform=linux/amd64 $NAMES/python:3.12
        soci create --min-layer-size=0 $NAMES/python:3.12 && soci push --plain-http $NAMES/python:3.12",
    )];
    run_with_containerd("soci", OPERATIONS).await;
}

#[tokio::test]
async fn stargz_works_as_it_does_directly() {
    const OPERATIONS: &[Operation] = &[Operation::new(
        "convert and push",
        "ctr $pull --local --platform=linux/amd64 $NAMES/python:3.12
        remote images convert --estargz --oci --platform=linux/amd64 $NAMES/python:3.12 $NAMES/estargz:1
        remote images push --plain-http $NAMES/estargz:1",
    )
    .stores("estargz", "1")];
    run_with_containerd("stargz", OPERATIONS).await;
}

async fn run_with_containerd(client: &'static str, operations: &[Operation]) {
    let targets = Target::all().await;
    let mut daemons = Vec::new();
    for target in &targets {
        let home = target.home().display();
        let config = format!(
            "version = 3\nroot = '{home}/containerd'\nstate = '{home}/state'\ndisabled_plugins = ['io.containerd.cri.v1.images', \
             'io.containerd.cri.v1.runtime', 'io.containerd.grpc.v1.cri']\n[grpc]\naddress = '{home}/containerd.sock'\n\
             [ttrpc]\naddress = '{home}/containerd.sock.ttrpc'\n"
        );
        let file = target.home().join("containerd.toml");
        fs::write(&file, config).expect("containerd.toml is written");
        let mut containerd = command("containerd", target.home());
        containerd.arg("--config").arg(file);
        daemons.push(Daemon::start_ready("containerd", containerd, READY).await);
    }
    run(client, "", targets, daemons, PREPARATION, operations).await;
}
