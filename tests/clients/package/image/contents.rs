//! The contents of the image: one binary and its configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::NAME;
use crate::docker::docker;
use crate::package::text;
use crate::process::{output, stdout};

/// Size limit for the image, in bytes.
const MAX_SIZE: u64 = 12_000_000;

/// The start of the names of files that docker itself adds to every container.
const ADDED_BY_DOCKER: [&str; 7] = [".dockerenv", "dev/", "proc/", "sys/", "etc/host", "etc/mtab", "etc/resolv.conf"];

pub(super) async fn assert_only_binary_and_configuration(home: &Path) {
    let image: Value =
        serde_json::from_str(&stdout(docker(home).args(["image", "inspect", "--format={{json .}}", NAME])).await)
            .expect("JSON");
    let size = image["Size"].as_u64().expect("a size");
    super::report(&format!("image: {size} bytes"));
    assert!(size < MAX_SIZE, "{size} bytes");

    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/regpass"]));
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD", "/regpass", "health"]));
    let ports: Vec<&String> = config["ExposedPorts"].as_object().expect("ports").keys().collect();
    assert_eq!(ports, ["5050/tcp", "5051/tcp"]);
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str();
    assert_eq!(label("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(label("licenses"), Some(env!("CARGO_PKG_LICENSE")));
    assert_eq!(label("description"), Some(env!("CARGO_PKG_DESCRIPTION")));

    let mut files = files(home).await;
    assert_eq!(files.remove("etc/regpass/config.toml"), Some((0o644, text("config/container.toml").into_bytes())));
    let (mode, binary) = files.remove("regpass").expect("the binary");
    assert_eq!((mode, &binary[..4]), (0o755, &b"\x7fELF"[..]));
    assert!(files.is_empty(), "further files: {:?}", files.keys());
}

/// The files of the image, as a container sees them: mode and content by name.
async fn files(home: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let tar = home.join("contents.tar");
    output(docker(home).args(["create", "--name=contents", NAME])).await;
    output(docker(home).args(["export", "contents", "--output"]).arg(&tar)).await;
    let mut tar = tar::Archive::new(fs::File::open(&tar).expect("the exported container"));
    let mut files = BTreeMap::new();
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").to_string_lossy().into_owned();
        let mode = entry.header().mode().expect("a mode");
        if name == "tmp/" {
            assert_eq!(mode & 0o7777, 0o1777, "the mode of /tmp");
        }
        if entry.header().entry_type().is_dir() || ADDED_BY_DOCKER.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("the content of an entry");
        files.insert(name, (mode & 0o7777, bytes));
    }
    files
}
