//! What is shipped beside the binary: every file of `config/`, read by the programs it is for, and the image.

pub(crate) mod alerts;
mod compose;
pub(crate) mod dashboard;
mod image;
mod kubernetes;
mod mirrors;
mod page;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{plain, stdout};

/// Debian's own, which has the module `yaml`.
const PYTHON: &str = "/usr/bin/python3";

const YAML: &str = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
const TOML: &str = "import json, sys, tomllib; json.dump(tomllib.loads(sys.stdin.read()), sys.stdout)";

/// A file of the repository.
fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(shipped(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file with its examples taken at their word: lines that start with `#` and no space.
fn with_examples(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        match rest.strip_prefix('#') {
            Some(example) if example.starts_with(|next: char| next != ' ' && next != '!') => {
                // In YAML, nested examples keep their place below the "#".
                format!("{indent}{example}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// The documents of a YAML file.
async fn documents(yaml: &str) -> Vec<Value> {
    let Value::Array(documents) = json(YAML, yaml).await else { panic!("{yaml}") };
    documents
}

/// `text` as the parser `script` reads it.
async fn json(script: &str, text: &str) -> Value {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("text");
    fs::write(&file, text).expect("the file");
    let mut python = plain("sh", home.path());
    python.args(["-c", r#"exec "$0" -c "$1" <"$2""#, PYTHON, script]).arg(&file);
    serde_json::from_str(&stdout(&mut python).await).expect("JSON")
}

/// What `regpass check` says is in force with this configuration file and these variables.
async fn checked(config: &str, variables: &[(&str, &str)]) -> Value {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("config.toml");
    fs::write(&file, config).expect("the configuration");
    let mut check = plain(env!("CARGO_BIN_EXE_regpass"), home.path());
    check.args(["check", "--config"]).arg(file).envs(variables.iter().copied());
    json(TOML, &stdout(&mut check).await).await
}

/// The addresses of the listeners, the admin listener's last; none of them is open to other machines.
fn closed_doors(config: &Value) -> Vec<String> {
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
    let tests: String = files(&root.join("tests"))
        .into_iter()
        .chain(
            files(&root.join("src"))
                .into_iter()
                .filter(|file| file.components().any(|part| part.as_os_str() == "tests")),
        )
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| fs::read_to_string(file).expect("a test"))
        .collect();
    let shipped = files(&root.join("config"));
    assert!(shipped.len() > 5, "{shipped:?}");
    for file in shipped {
        let name = file.strip_prefix(root).expect("below the root").to_str().expect("text");
        assert!(tests.contains(&format!("{name}\"")), "{name} is named by no test");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The settings inside the image are good as they stand, and as open as a container's own network needs.
#[tokio::test]
async fn the_settings_of_the_image_are_valid() {
    let config = checked(&text("config/container.toml"), &[]).await;
    let listeners = config["listener"].as_array().expect("listeners");
    assert_eq!(listeners.len(), 1);
    for (door, port) in [(&listeners[0], 5050), (&config["admin"], 5051)] {
        assert_eq!(door["address"].as_str(), Some(&*format!("0.0.0.0:{port}")));
        assert!(text("Dockerfile").contains("EXPOSE 5050 5051\n"));
    }
    assert_eq!(config["credential"]["source"].as_str(), Some("anonymous"));
    // In a namespace that is not its own, these two close every door.
    let variables = [("REGPASS_LISTEN", "127.0.0.1:5050"), ("REGPASS_ADMIN", "127.0.0.1:5051")];
    let config = checked(&text("config/container.toml"), &variables).await;
    assert!(config["listener"].as_array().expect("listeners").len() == 1);
    for door in [&config["listener"][0], &config["admin"]] {
        assert!(door["address"].as_str().expect("an address").starts_with("127.0.0.1:"), "{door}");
    }
}
