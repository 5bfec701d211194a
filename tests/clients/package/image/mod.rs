//! The container image, built from the Dockerfile and run by docker in the sandbox.

mod compose_project;
mod contents;
mod pod;
mod single_container;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::repository_file;
use crate::image::digest_of;
use crate::process::{Daemon, output, output_within, stdout, unchecked_output};
use crate::{docker, sandbox};

const TEST_NAME: &str = "package::image::image_is_built_and_serves";
const NAME: &str = "regpass-under-test";
const BUILD_STAGE: &str = "regpass-build-stage";

/// Time limit for a release build, which takes four minutes on two idle cores without a cache.
const BUILD_LIMIT: Duration = Duration::from_secs(25 * 60);

/// The address of this machine on docker's bridge, the only network of the sandbox.
const GATEWAY: &str = "172.30.0.1";

/// Options of `docker run` that take all rights from a container but those it needs. Spooled uploads need `/tmp`.
const RESTRICTED: [&str; 5] =
    ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--pids-limit=64"];

#[tokio::test]
async fn image_is_built_and_serves() {
    if !sandbox::is_inside() {
        build().await;
        return sandbox::run_test(TEST_NAME).await;
    }
    let home = tempfile::tempdir().expect("a directory for docker");
    let _dockerd = dockerd(home.path(), &json!({ "bip": format!("{GATEWAY}/24") })).await;
    output(docker::docker(home.path()).args(["load", "--input"]).arg(image_archive())).await;
    contents::assert_only_binary_and_configuration(home.path()).await;
    single_container::assert_serves_published_port(home.path()).await;
    pod::assert_serves_its_client(home.path()).await;
    compose_project::assert_serves_its_client(home.path()).await;
}

/// Starts dockerd with a container network and its default storage driver, except where `settings` differ.
async fn dockerd(home: &Path, settings: &Value) -> Daemon {
    let mut all = docker::settings(home);
    let all = all.as_object_mut().expect("an object");
    for key in ["storage-driver", "bridge", "iptables", "ip6tables", "ip-forward", "ip-masq"] {
        all.remove(key);
    }
    all.extend(settings.as_object().expect("an object").clone());
    let file = home.join("daemon.json");
    fs::write(&file, json!(all).to_string()).expect("daemon.json is written");
    docker::start_with(home, &file).await
}

/// The file through which the image gets into the sandbox.
fn image_archive() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("image.tar")
}

/// Builds the image, outside the sandbox. docker's cache is in cargo's target folder and kept between runs.
async fn build() {
    let home = tempfile::tempdir().expect("a directory for docker");
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
    let settings = json!({ "data-root": store, "bridge": "none", "iptables": false, "ip6tables": false });
    let _dockerd = dockerd(home.path(), &settings).await;
    let builder = builder_image(&home).await;
    // The build stage gets a name, so that `image prune` keeps its layers in the cache.
    for options in [&["--target=build", "--tag", BUILD_STAGE][..], &["--tag", NAME]] {
        let mut build = docker::docker(home.path());
        // Every docker has the classic builder; BuildKit needs a plugin.
        build.env("DOCKER_BUILDKIT", "0").args(["build", "--network=host", "--build-arg"]);
        build.arg(format!("BUILDER={builder}")).args(options);
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
            if let Some(value) = std::env::var_os(proxy) {
                build.env(proxy, value).args(["--build-arg", proxy]);
            }
        }
        output_within(BUILD_LIMIT, build.arg(repository_file(""))).await;
    }
    output(docker::docker(home.path()).args(["image", "prune", "--force"])).await;
    output(docker::docker(home.path()).args(["save", NAME, "--output"]).arg(image_archive())).await;
}

/// Makes an image with the compilers of this machine, so that the build needs no registry. Returns its name.
async fn builder_image(home: &TempDir) -> String {
    let script = repository_file("tests/clients/package/image/builder");
    let version = stdout(Command::new("rustc").arg("--version")).await;
    let version = version.split(' ').nth(1).expect("a version");
    let digest = digest_of(&fs::read(&script).expect("the script"));
    let name = format!("regpass-builder:{version}-{}", &digest["sha256:".len()..][..12]);
    let existing = unchecked_output(docker::docker(home.path()).args(["image", "inspect", &name])).await;
    if !existing.status.success() {
        let tar = home.path().join("builder.tar");
        output(Command::new(script).arg(&tar)).await;
        output(docker::docker(home.path()).args(["import", "--change=ENV HOME=/root"]).arg(&tar).arg(&name)).await;
    }
    name
}

/// Prints a measurement to stderr.
fn report(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
