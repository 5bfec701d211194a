//! Checks of the architecture: imports point down the floors, files do not import each other in a circle, vendors' names
//! stay in their own files, text files are decoded in one place, files stay short, and the pages about the code name only
//! files that exist.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod circles;
mod pages;
mod source;
#[path = "../it/source_files.rs"]
mod source_files;

use source::{Crate, Module};

/// The floors of `src`, the lowest first, each with its top-level modules. A module imports only from lower floors and from
/// its own files, not from other modules of its floor.
const FLOORS: &[&[&str]] = &[
    &["base"],
    &["oci"],
    &["observe", "profile"],
    &["net"],
    &["listen"],
    &["config"],
    &["setup"],
    &["credential"],
    &["clients", "upstream"],
    &["auth"],
    &["proxy"],
    &["admin"],
    &["serve"],
    &["cli"],
];

/// Vendors' names. In `src`, code outside `profile` and [`CLOUDS`] must not contain them; comments and unit tests may.
const VENDORS: &[&str] = &[
    "acr",
    "alibaba",
    "aliyuncs",
    "artifactory",
    "aws",
    "azure",
    "chainguard",
    "dhi",
    "digitalocean",
    "dockerhub",
    "docker_hub",
    "ecr",
    "elastic",
    "forgejo",
    "gcr",
    "ghcr",
    "gitea",
    "github",
    "gitlab",
    "google",
    "harbor",
    "huawei",
    "ibm",
    "jfrog",
    "mcr",
    "ngc",
    "nvcr",
    "nvidia",
    "oracle",
    "quay",
    "redhat",
    "scaleway",
    "scarf",
    "zot",
];

/// Files and folders of `src` that may contain vendors' names: the configuration keys of cloud credentials, and the requests
/// that obtain these credentials.
const CLOUDS: &[&str] = &["config/cloud.rs", "config/decode/cloud.rs", "credential/cloud"];

/// Source files that may be longer than 400 lines, with the reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn imports_point_down() {
    let sources = Crate::read();
    let mut upward = Vec::new();
    for module in sources.0.values() {
        let Some(own) = floor_of(module.floor()) else { continue };
        for target in sources.imports(module) {
            let Some(target) = target.first() else { continue };
            if floor_of(target).is_some_and(|floor| floor > own || (floor == own && target != module.floor())) {
                upward.push(format!("{} imports {target}", module.file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "imports from the same or a higher floor:\n{}", upward.join("\n"));
}

#[test]
fn every_module_has_its_floor() {
    for module in Crate::read().0.values() {
        let floor = module.floor();
        let is_root = ["lib", "main"].contains(&floor);
        assert!(
            is_root || floor_of(floor).is_some(),
            "the module {floor} ({}) is not listed in FLOORS",
            module.file.display()
        );
    }
}

/// Differences between vendors are rows of the profile table, never branches in code. Comments may name vendors.
#[test]
fn vendor_words_stay_in_the_profiles() {
    let mut found = Vec::new();
    for module in Crate::read().0.values() {
        if module.floor() == "profile" || CLOUDS.iter().any(|clouds| module.file.starts_with(clouds)) {
            continue;
        }
        for (number, line) in (1..).zip(module.code.lines()) {
            let line = line.replace("aws_lc_rs", "");
            let words = line.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
            let vendors = words.filter(|word| VENDORS.contains(&word.as_str()));
            found.extend(vendors.map(|word| format!("{}:{number}: {word}", module.file.display())));
        }
    }
    assert!(found.is_empty(), "vendor words outside profile/ and the cloud credentials:\n{}", found.join("\n"));
}

/// A reader that decodes a file by itself does not accept what other tools write, such as a byte order mark.
#[test]
fn text_files_are_decoded_in_one_place() {
    let readers = ["read_to_string(", "pem_file_iter(", "from_pem_file("];
    let mut found = Vec::new();
    for module in Crate::read().0.values() {
        let lines =
            (1..).zip(module.code.lines()).filter(|(_, line)| readers.iter().any(|reader| line.contains(reader)));
        found.extend(lines.map(|(number, line)| format!("{}:{number}: {}", module.file.display(), line.trim())));
    }
    assert!(found.is_empty(), "text that src/base/file_text.rs does not decode:\n{}", found.join("\n"));
}

#[test]
fn files_hold_one_concept() {
    for Module { file, code, .. } in Crate::read().0.values() {
        let lines = code.lines().count();
        let is_excused = LONG.iter().any(|(long, _)| file.ends_with(long));
        assert!(
            lines <= 400 || is_excused,
            "{} has {lines} lines without its tests; at most 400 are allowed",
            file.display()
        );
    }
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}
