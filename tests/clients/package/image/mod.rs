//! The image: built as the Dockerfile says, then put to work by a docker that has a machine of its own.

mod alone;
mod composed;
mod contents;
mod pod;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::shipped;
use crate::image::digest_of;
use crate::process::{Daemon, ended, output, output_within, stdout};
use crate::{docker, machine};

const THIS: &str = "package::image::is_built_and_serves";
const NAME: &str = "regpass-under-test";
const STAGE: &str = "regpass-build-stage";

/// A release build from nothing takes four minutes of two quiet cores.
const BUILD: Duration = Duration::from_secs(25 * 60);

/// Where the bridge of docker begins. The machine inside has no other network.
const GATEWAY: &str = "172.30.0.1";

/// How a container runs that can do nothing but its work. Spools need a place.
const CONFINED: [&str; 5] =
    ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--pids-limit=64"];

#[tokio::test]
async fn is_built_and_serves() {
    if !machine::is_here() {
        build().await;
        return machine::run(THIS).await;
    }
    let home = tempfile::tempdir().expect("a directory for docker");
    let _dockerd = dockerd(home.path(), &json!({ "bip": format!("{GATEWAY}/24") })).await;
    output(docker::docker(home.path()).args(["load", "--input"]).arg(archive())).await;
    contents::are_the_binary_and_its_settings(home.path()).await;
    alone::serves_what_is_published(home.path()).await;
    pod::serves_the_client_it_is_beside(home.path()).await;
    composed::serves_its_client(home.path()).await;
}

/// A docker with a network of its own and the fastest storage there is, but for what `settings` say.
async fn dockerd(home: &Path, settings: &Value) -> Daemon {
    let mut all = docker::settings(home);
    let all = all.as_object_mut().expect("settings");
    for without in ["storage-driver", "bridge", "iptables", "ip6tables", "ip-forward", "ip-masq"] {
        all.remove(without);
    }
    all.extend(settings.as_object().expect("settings").clone());
    let file = home.join("daemon.json");
    fs::write(&file, json!(all).to_string()).expect("daemon.json");
    docker::start_with(home, &file).await
}

/// Where the outside leaves the image for the inside.
fn archive() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("image.tar")
}

/// With docker's own cache, kept between runs beside everything else that cargo may throw away: what has not changed is
/// not built again.
async fn build() {
    let home = tempfile::tempdir().expect("a directory for docker");
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
    let settings = json!({ "data-root": store, "bridge": "none", "iptables": false, "ip6tables": false });
    let _dockerd = dockerd(home.path(), &settings).await;
    let builder = builder(&home).await;
    // The stage has a name, so that what it is made of outlives the clearing of what is not used any more.
    for options in [&["--target=build", "--tag", STAGE][..], &["--tag", NAME]] {
        let mut build = docker::docker(home.path());
        // The classic builder is in every docker; BuildKit needs a plugin.
        build.env("DOCKER_BUILDKIT", "0").args(["build", "--network=host", "--build-arg"]);
        build.arg(format!("BUILDER={builder}")).args(options);
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
            if let Some(value) = std::env::var_os(proxy) {
                build.env(proxy, value).args(["--build-arg", proxy]);
            }
        }
        output_within(BUILD, build.arg(shipped(""))).await;
    }
    output(docker::docker(home.path()).args(["image", "prune", "--force"])).await;
    output(docker::docker(home.path()).args(["save", NAME, "--output"]).arg(archive())).await;
}

/// An image to build with, from the compilers of this machine: no registry is needed.
async fn builder(home: &TempDir) -> String {
    let script = shipped("tests/clients/package/image/builder");
    let version = stdout(Command::new("rustc").arg("--version")).await;
    let version = version.split(' ').nth(1).expect("a version");
    let digest = digest_of(&fs::read(&script).expect("the script"));
    let name = format!("regpass-builder:{version}-{}", &digest["sha256:".len()..][..12]);
    let known = ended(docker::docker(home.path()).args(["image", "inspect", &name])).await;
    if !known.status.success() {
        let tar = home.path().join("builder.tar");
        output(Command::new(script).arg(&tar)).await;
        output(docker::docker(home.path()).args(["import", "--change=ENV HOME=/root"]).arg(&tar).arg(&name)).await;
    }
    name
}

/// Figures, for whoever reads the output.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
