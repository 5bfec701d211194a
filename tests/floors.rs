//! The architecture, checked: imports point down, vendors stay data, files stay short.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up; modules of one floor do not see each other.
const FLOORS: &[&[&str]] = &[
    &["base"],
    &["oci"],
    &["observe", "profile"],
    &["net"],
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

/// Words that only profile rows, the sources of cloud logins, tests and documentation may know.
const VENDORS: &[&str] = &[
    "acr",
    "artifactory",
    "aws",
    "azure",
    "dockerhub",
    "docker_hub",
    "ecr",
    "forgejo",
    "gcr",
    "ghcr",
    "gitea",
    "github",
    "gitlab",
    "google",
    "harbor",
    "jfrog",
    "mcr",
    "ngc",
    "nvcr",
    "nvidia",
    "quay",
    "zot",
];

/// Where clouds that lend logins are known by name: what the operator writes, and how each is asked.
const CLOUDS: &[&str] = &["config/cloud.rs", "config/decode/cloud.rs", "credential/cloud"];

/// Source files that may be longer than 400 lines, with the reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn imports_point_down() {
    let mut upward = Vec::new();
    for (path, text) in sources() {
        let Some(own) = floor_of(&module_of(&path)) else { continue };
        for (number, line) in code_lines(&text) {
            for target in line.split("crate::").skip(1).flat_map(imported) {
                if floor_of(&target).is_some_and(|floor| floor > own || (floor == own && target != module_of(&path))) {
                    upward.push(format!("{}:{number}: {} -> {target}", path.display(), module_of(&path)));
                }
            }
        }
    }
    assert!(upward.is_empty(), "imports that point up:\n{}", upward.join("\n"));
}

#[test]
fn every_module_has_its_floor() {
    for (path, _) in sources() {
        let module = module_of(&path);
        let exempt = ["lib", "main"].contains(&module.as_str());
        assert!(exempt || floor_of(&module).is_some(), "{module} ({}) stands on no floor", path.display());
    }
}

/// Vendors are rows of a table, never branches: code elsewhere must not know their names. Comments may.
#[test]
fn vendor_words_stay_in_the_profiles() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let below = path.strip_prefix(source_folder()).unwrap();
        if module_of(&path) == "profile" || CLOUDS.iter().any(|clouds| below.starts_with(clouds)) {
            continue;
        }
        for (number, line) in code_lines(&text) {
            let line = line.replace("aws_lc_rs", "");
            let words = line.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
            found.extend(
                words
                    .filter(|word| VENDORS.contains(&word.as_str()))
                    .map(|word| format!("{}:{number}: {word}", path.display())),
            );
        }
    }
    assert!(found.is_empty(), "vendor words outside profile/ and the sources of cloud logins:\n{}", found.join("\n"));
}

#[test]
fn files_hold_one_concept() {
    for (path, text) in sources() {
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let excused = LONG.iter().any(|(file, _)| path.ends_with(file));
        assert!(lines <= 400 || excused, "{} has {lines} lines without its tests", path.display());
    }
}

/// Code without comments, without the unit tests at the end of the file.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate();
    lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
}

/// The modules named after `crate::`, one or a braced list.
fn imported(rest: &str) -> Vec<String> {
    let word = |text: &str| text.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    match rest.strip_prefix('{') {
        Some(list) => list.split(',').map(word).filter(|word| !word.is_empty()).collect(),
        None => vec![word(rest)],
    }
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The first path component below `src`, without `.rs`.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(source_folder()).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![source_folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                files.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(files.len() > 30, "the sources were found");
    files
}
