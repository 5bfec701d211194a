//! `driver TESTBED`: runs every operation of the crate oci-client through regpass and directly at a registry.
//!
//! `TESTBED` is the file that testbed.rs writes. Prints, as JSON, the crate's version and the error of each operation, or null.

mod operations;
mod way;

use std::time::Duration;

use serde_json::{Value, json};

use crate::way::Way;

/// Longer than any operation takes on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider");
    let file = std::env::args().nth(1).expect("the file of the testbed");
    let testbed = std::fs::read_to_string(file).expect("the file of the testbed");
    let testbed: Value = serde_json::from_str(&testbed).expect("JSON");
    let mut report = Vec::new();
    for name in operations::NAMES {
        let through_regpass = run(name, &Way::through_regpass(&testbed)).await;
        let direct = run(name, &Way::direct(&testbed)).await;
        report.push(json!({ "name": name, "through_regpass": through_regpass, "direct": direct }));
    }
    println!("{}", json!({ "version": version(), "operations": report }));
}

/// Runs an operation. Returns its error.
async fn run(name: &str, way: &Way) -> Option<String> {
    match tokio::time::timeout(TIME_LIMIT, operations::run(name, way)).await {
        Ok(result) => result.err().map(|error| error.to_string()),
        Err(_) => Some(format!("still running after {TIME_LIMIT:?}")),
    }
}

/// The version of oci-client in this package's lock file.
fn version() -> &'static str {
    let mut lines = include_str!("../Cargo.lock").lines().skip_while(|line| *line != r#"name = "oci-client""#);
    let line = lines.nth(1).expect("a version");
    line.trim_start_matches("version = ").trim_matches('"')
}
