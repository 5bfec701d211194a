//! The Dockerfile behind mirrors, read by another builder than docker's: each build argument arrives where it is for. The
//! compiler is a stand-in that shows its settings in place of a binary; `image` builds with the real one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use super::{shipped, text};
use crate::buildah::buildah;
use crate::process::{output, stdout};

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
async fn every_build_argument_arrives() {
    let page = text("docs/deploy.md");
    for argument in ["BUILDER", "CARGO_REGISTRY", "EXTRA_CA"] {
        assert!(page.contains(&format!("`{argument}`")), "{argument} is not in docs/deploy.md");
    }
    let home = tempfile::tempdir().expect("a directory");
    builder(home.path()).await;
    let mut build = buildah(home.path());
    build.args(["bud", "--format=docker", "--isolation=chroot", "--network=host", "--volume=/usr:/usr:ro"]);
    for argument in ["BUILDER=localhost/builder", &format!("CARGO_REGISTRY={MIRROR}"), &format!("EXTRA_CA={CA}")] {
        build.args(["--build-arg", argument]);
    }
    output(build.args(["--build-arg=REVISION=abc123", "--tag=regpass"]).arg(shipped(""))).await;

    let archive = home.path().join("image");
    let target = format!("dir:{}", archive.display());
    output(buildah(home.path()).args(["push", "--quiet", "--disable-compression", "regpass", &target])).await;
    let manifest: Value = serde_json::from_slice(&fs::read(archive.join("manifest.json")).expect("it")).expect("JSON");
    let blob = |of: &Value| {
        let digest = of["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
        fs::read(archive.join(digest)).expect("a blob")
    };
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).expect("JSON");
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Healthcheck"]["Test"], serde_json::json!(["CMD", "/regpass", "health"]));
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc123");
    let layers: Vec<Vec<u8>> = manifest["layers"].as_array().expect("layers").iter().map(blob).collect();
    let shown = layers.iter().map(|layer| String::from_utf8_lossy(layer)).collect::<String>();
    for told in [&format!("registry = \"{MIRROR}\""), ROOTS, CA] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

/// An image with the stand-ins; everything else is this machine's, as long as the build lasts.
async fn builder(home: &Path) {
    let root = home.join("root");
    for directory in ["programs", "etc/ssl/certs", "tmp", "var/tmp", "root", "usr"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    for directory in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{directory}"), root.join(directory)).expect("a link");
    }
    fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), format!("{ROOTS}\n")).expect("roots");
    for (name, script) in [("cargo", CARGO), ("rustc", RUSTC)] {
        let file = root.join("programs").join(name);
        fs::write(&file, script).expect("a program");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("to be run");
    }
    let from = stdout(buildah(home).args(["from", "scratch"])).await;
    let from = from.trim();
    output(buildah(home).args(["add", "--quiet", from]).arg(&root).arg("/")).await;
    let set = ["config", "--env=PATH=/programs:/usr/bin:/bin", "--env=HOME=/root", from];
    output(buildah(home).args(set)).await;
    output(buildah(home).args(["commit", "--quiet", from, "localhost/builder"])).await;
}
