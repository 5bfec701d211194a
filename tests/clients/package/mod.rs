//! The files shipped with the binary: every file of `config/`, read by the program it is for, and the container image.

pub(crate) mod alerts;
mod build_arguments;
mod compose;
pub(crate) mod dashboard;
mod deploy_page;
mod image;
mod kubernetes;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{program, stdout};

/// Debian's Python, which has the module `yaml`.
const PYTHON: &str = "/usr/bin/python3";

const YAML: &str = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
const TOML: &str = "import json, sys, tomllib; json.dump(tomllib.loads(sys.stdin.read()), sys.stdout)";

/// The path of a file in the repository.
fn repository_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The content of a file in the repository.
fn text(path: &str) -> String {
    fs::read_to_string(repository_file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text of a file with its examples enabled: removes the `#` from lines where no space follows it.
fn with_examples(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.strip_prefix('#') {
            Some(example) if example.starts_with(|next: char| next != ' ' && next != '!') => {
                // Keeps the indentation before the "#", which YAML needs for nested examples.
                format!("{indent}{example}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// The documents of a YAML file.
async fn documents(yaml: &str) -> Vec<Value> {
    let Value::Array(documents) = parse_with(YAML, yaml).await else { panic!("{yaml}") };
    documents
}

/// Parses `text` with a Python script that prints JSON.
async fn parse_with(script: &str, text: &str) -> Value {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("text");
    fs::write(&file, text).expect("the file is written");
    let mut python = program("sh", home.path());
    python.args(["-c", r#"exec "$0" -c "$1" <"$2""#, PYTHON, script]).arg(&file);
    serde_json::from_str(&stdout(&mut python).await).expect("JSON")
}

/// The configuration that `regpass check` prints for this file and these environment variables.
async fn checked(config: &str, variables: &[(&str, &str)]) -> Value {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("config.toml");
    fs::write(&file, config).expect("config.toml is written");
    let mut check = program(env!("CARGO_BIN_EXE_regpass"), home.path());
    check.args(["check", "--config"]).arg(file).envs(variables.iter().copied());
    parse_with(TOML, &stdout(&mut check).await).await
}

/// Checks that no listener is open to other machines. Returns their addresses, the admin listener's last.
fn loopback_addresses(config: &Value) -> Vec<String> {
    let listeners = config["listener"].as_array().expect("listeners").iter().chain(config.get("admin"));
    let address = |listener: &Value| {
        assert_eq!(listener["insecure_open"].as_bool(), Some(false), "{listener}");
        let address = listener["address"].as_str().expect("an address");
        assert!(address.starts_with("127.0.0.1:") || address.starts_with("[::1]:"), "{address}");
        address.to_owned()
    };
    listeners.map(address).collect()
}

#[test]
fn every_file_of_config_is_used_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_test = |file: &PathBuf| file.components().any(|part| part.as_os_str() == "tests");
    let sources = files(&root.join("src")).into_iter().filter(is_test).chain(files(&root.join("tests")));
    let rust = sources.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let tests: String = rust.map(|file| fs::read_to_string(file).expect("a test")).collect();
    let config_files = files(&root.join("config"));
    assert!(config_files.len() > 5, "{config_files:?}");
    for file in config_files {
        let name = file.strip_prefix(root).expect("below the root").to_str().expect("text");
        assert!(tests.contains(&format!("{name}\"")), "no test names {name}");
    }
}

/// All files in a directory and its subdirectories.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn configuration_of_the_image_is_valid_and_open_to_the_container_network() {
    let config = checked(&text("config/container.toml"), &[]).await;
    let listeners = config["listener"].as_array().expect("listeners");
    assert_eq!(listeners.len(), 1);
    for (listener, port) in [(&listeners[0], 5050), (&config["admin"], 5051)] {
        assert_eq!(listener["address"].as_str(), Some(&*format!("0.0.0.0:{port}")));
    }
    assert!(text("Dockerfile").contains("EXPOSE 5050 5051\n"));
    assert_eq!(config["credential"]["source"].as_str(), Some("anonymous"));
    // In a network namespace shared with other programs, these two variables restrict both listeners to loopback.
    let variables = [("REGPASS_LISTEN", "127.0.0.1:5050"), ("REGPASS_ADMIN", "127.0.0.1:5051")];
    let config = checked(&text("config/container.toml"), &variables).await;
    assert!(config["listener"].as_array().expect("listeners").len() == 1);
    for listener in [&config["listener"][0], &config["admin"]] {
        assert!(listener["address"].as_str().expect("an address").starts_with("127.0.0.1:"), "{listener}");
    }
}
