//! The build arguments of the Dockerfile, for machines behind mirrors. buildah builds the image with a fake compiler, which
//! writes its settings instead of a binary; `image` builds with docker and the real one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use super::{repository_file, text};
use crate::engine::BUILDAH;
use crate::process::{output, stdout};

/// A fake cargo. Instead of a binary it writes the settings and root certificates that it received.
const CARGO: &str = r#"#!/bin/sh
set -eu
mkdir -p target/some-target/release
cat "$HOME/.cargo/config.toml" /etc/ssl/certs/ca-certificates.crt >target/some-target/release/regpass
"#;
const RUSTC: &str = "#!/bin/sh\necho 'host: some-target'\n";

const MIRROR: &str = "sparse+https://mirror.example/crates/";
const ROOTS: &str = "the builder's own roots";
const CA: &str = "-----BEGIN CERTIFICATE-----\nof the corporation\n-----END CERTIFICATE-----";

#[tokio::test]
async fn every_build_argument_reaches_the_build() {
    let page = text("docs/deploy.md");
    for argument in ["BUILDER", "CARGO_REGISTRY", "EXTRA_CA"] {
        assert!(page.contains(&format!("`{argument}`")), "{argument} is not in docs/deploy.md");
    }
    let home = tempfile::tempdir().expect("a directory");
    import_builder_image(home.path()).await;
    let mut build = BUILDAH.command(home.path());
    build.args(["bud", "--format=docker", "--isolation=chroot", "--network=host", "--volume=/usr:/usr:ro"]);
    for argument in ["BUILDER=localhost/builder", &format!("CARGO_REGISTRY={MIRROR}"), &format!("EXTRA_CA={CA}")] {
        build.args(["--build-arg", argument]);
    }
    output(build.args(["--build-arg=REVISION=abc123", "--tag=regpass"]).arg(repository_file(""))).await;

    let archive = home.path().join("image");
    let target = format!("dir:{}", archive.display());
    output(BUILDAH.command(home.path()).args(["push", "--quiet", "--disable-compression", "regpass", &target])).await;
    let manifest: Value =
        serde_json::from_slice(&fs::read(archive.join("manifest.json")).expect("manifest.json")).expect("JSON");
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
        fs::read(archive.join(digest)).expect("a blob")
    };
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).expect("JSON");
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Healthcheck"]["Test"], serde_json::json!(["CMD", "/regpass", "health"]));
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc123");
    let layers: Vec<Vec<u8>> = manifest["layers"].as_array().expect("layers").iter().map(blob).collect();
    let content = layers.iter().map(|layer| String::from_utf8_lossy(layer)).collect::<String>();
    for setting in [&format!("registry = \"{MIRROR}\""), ROOTS, CA] {
        assert!(content.contains(setting), "{setting} is not in {content}");
    }
}

/// Makes a base image with the fake compiler. The build mounts all other programs from this machine.
async fn import_builder_image(home: &Path) {
    let root = home.join("root");
    for directory in ["programs", "etc/ssl/certs", "tmp", "var/tmp", "root", "usr"] {
        fs::create_dir_all(root.join(directory)).expect("a directory is created");
    }
    for directory in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{directory}"), root.join(directory)).expect("a link");
    }
    fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), format!("{ROOTS}\n"))
        .expect("the root certificates are written");
    for (name, script) in [("cargo", CARGO), ("rustc", RUSTC)] {
        let file = root.join("programs").join(name);
        fs::write(&file, script).expect("a program is written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the program is executable");
    }
    let container = stdout(BUILDAH.command(home).args(["from", "scratch"])).await;
    let container = container.trim();
    output(BUILDAH.command(home).args(["add", "--quiet", container]).arg(&root).arg("/")).await;
    let environment = ["config", "--env=PATH=/programs:/usr/bin:/bin", "--env=HOME=/root", container];
    output(BUILDAH.command(home).args(environment)).await;
    output(BUILDAH.command(home).args(["commit", "--quiet", container, "localhost/builder"])).await;
}
