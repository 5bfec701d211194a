//! The oras Python client.

use std::path::Path;

use serde_json::{Value, json};

use crate::image::Image;
use crate::process::{program, stdout, venv_program};
use crate::stack::{Stack, in_both_auth_modes};

/// Prints the digest of an index, the tags, and the digests of the files in each platform.
const PULL: &str = include_str!("oras.py");

in_both_auth_modes!(index_and_files_are_pulled_by_name_and_alias);

async fn index_and_files_are_pulled_by_name_and_alias(stack: &Stack) {
    for name in ["python", "reg/toddysm/python"] {
        assert_pulls(stack.home(), &stack.regpass.image(name), "3.12", &stack.image).await;
    }
}

/// Pulls the only tag of a repository and checks that it is `image`.
pub(crate) async fn assert_pulls(home: &Path, repository: &str, tag: &str, image: &Image) {
    let pulled = run_script(home, PULL, &[repository, tag], &home.join("files")).await;
    let payloads: Vec<_> = image.platforms.iter().map(|platform| &platform.payload).collect();
    assert_eq!(pulled, json!({ "index": image.digest, "tags": [tag], "files": payloads }), "{repository}");
}

/// Runs a Python script with these arguments and a path, and returns the JSON that it prints.
pub(crate) async fn run_script(home: &Path, script: &str, arguments: &[&str], path: &Path) -> Value {
    let mut python = program(venv_program("pypi", "python"), home);
    python.args(["-c", script]).args(arguments).arg(path);
    serde_json::from_str(&stdout(&mut python).await).expect("JSON")
}
