//! The root file system of the newest clients, which `make_root` makes, and programs that run in it.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::process::program;

/// Enters the root. Its first lines describe what the program sees.
const ENTER: &str = include_str!("enter.sh");

/// The clients that users have in 2026, by Debian package, each with the version that the tests are meant for.
const WANTED: [(&str, &str, &str); 14] = [
    ("docker", "docker.io", "29"),
    ("docker buildx", "docker-buildx", "0.29"),
    ("containerd", "containerd", "2.2"),
    ("podman", "podman", "5.8"),
    ("buildah", "buildah", "1.43"),
    ("skopeo", "skopeo", "1.22"),
    ("crane", "crane", "0.20"),
    ("oras", "oras", "1.3"),
    ("cosign", "cosign", "3.1"),
    ("notation", "notation", "1.3"),
    ("apptainer", "apptainer", "1.4"),
    ("umoci", "umoci", "0.6"),
    ("soci", "soci-snapshotter", "0.11"),
    ("stargz", "stargz-snapshotter", "0.17"),
];

/// The command for a program in the root. It has its own mounts and processes, shares the machine's network, and keeps its
/// state below `home`.
pub(crate) fn command(name: &str, home: &Path) -> Command {
    let mut command = program("unshare", home);
    command.args(["--mount", "--pid", "--fork", "--kill-child=KILL", "--", "sh", "-c", ENTER, "enter.sh"]);
    command.arg(folder().join("root")).arg(home).arg(std::env::temp_dir()).arg(name);
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// The version of a client: that of its Debian package, without what Debian adds.
pub(crate) fn version(client: &str) -> String {
    let package = WANTED.iter().find(|(name, ..)| *name == client).map(|(_, package, _)| *package);
    let package = package.unwrap_or_else(|| panic!("{client} is not among the wanted clients"));
    let versions = fs::read_to_string(folder().join("versions")).expect("the versions of the root");
    let mut lines = versions.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let line = lines.find(|fields| fields[0] == package).unwrap_or_else(|| panic!("{package} is not in the root"));
    let version = line[1].rsplit_once(':').map_or(line[1], |(_, version)| version);
    version.split(['+', '-', '~']).next().unwrap_or(version).to_owned()
}

/// The Debian suite that the root is made of.
pub(crate) fn suite() -> String {
    let complete = fs::read_to_string(folder().join("versions")).expect("the versions of the root");
    complete.lines().next().and_then(|line| line.rsplit('\t').next()).expect("a line for each package").to_owned()
}

/// Whether the root has a program of this name.
pub(crate) fn has_program(name: &str) -> bool {
    ["bin", "sbin"].iter().any(|folder_name| folder().join("root/usr").join(folder_name).join(name).exists())
}

/// The clients whose version in the root is older than the wanted one: name, version, wanted version.
pub(crate) fn older_than_wanted() -> Vec<(&'static str, String, &'static str)> {
    let clients = WANTED.iter().map(|(client, _, wanted)| (*client, version(client), *wanted));
    clients.filter(|(_, version, wanted)| numbers(version) < numbers(wanted)).collect()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().expect("a version of numbers")).collect()
}

/// The folder with the root and the list of versions.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newest-clients");
    let folder = fs::canonicalize(&folder).unwrap_or(folder);
    assert!(folder.join("complete").is_file(), "{} is missing; tests/run makes it", folder.display());
    folder
}
