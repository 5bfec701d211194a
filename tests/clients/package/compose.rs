//! The compose file, resolved by docker-compose.

use std::fs;

use serde_json::Value;

use super::{checked, documents, loopback_addresses, repository_file, text, with_examples};
use crate::process::{program, stdout};

const FILE: &str = "config/compose.yaml";

/// The compose file as docker-compose resolves it.
async fn resolved(text: &str) -> Value {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join("config")).expect("a directory");
    let file = home.path().join("config/compose.yaml");
    fs::write(&file, text).expect("compose.yaml is written");
    let mut compose = program("docker-compose", home.path());
    let printed = stdout(compose.arg("--file").arg(file).arg("config")).await;
    documents(&printed).await.remove(0)
}

#[tokio::test]
async fn only_the_client_shares_the_network_of_regpass() {
    let compose = resolved(&text(FILE)).await;
    let (regpass, client) = (&compose["services"]["regpass"], &compose["services"]["client"]);
    assert_eq!(client["network_mode"], "service:regpass");
    assert_eq!(client["depends_on"]["regpass"]["condition"], "service_healthy");
    assert!(client["command"].to_string().contains("docker://localhost:5050/"), "{client}");
    assert!(regpass.get("ports").is_none(), "{regpass}");
    assert_eq!(regpass["read_only"], true);
    assert_eq!(regpass["cap_drop"][0], "ALL");
    // The variables override the image's own configuration.
    let config = checked(&text("config/container.toml"), &variables(regpass)).await;
    assert_eq!(config["listener"][0]["address"].as_str(), Some("127.0.0.1:5050"));
    assert_eq!(config["admin"]["address"].as_str(), Some("127.0.0.1:5051"));
    loopback_addresses(&checked("", &variables(regpass)).await);
}

#[tokio::test]
async fn examples_configure_the_credential_of_a_secret() {
    let compose = resolved(&with_examples(&text(FILE))).await;
    let regpass = &compose["services"]["regpass"];
    let config = checked(&text("config/container.toml"), &variables(regpass)).await;
    assert_eq!(config["credential"]["source"].as_str(), Some("docker"));
    let secret = regpass["secrets"][0].as_str().or(regpass["secrets"][0]["source"].as_str()).expect("a secret");
    assert_eq!(config["credential"]["file"].as_str(), Some(&*format!("/run/secrets/{secret}")));
    assert!(compose["secrets"][secret]["file"].is_string(), "{compose}");
}

#[test]
fn image_is_built_from_this_repository() {
    assert!(text(FILE).contains("context: ..\n"));
    assert!(repository_file("Dockerfile").is_file());
}

/// The environment variables of a service.
fn variables(service: &Value) -> Vec<(&str, &str)> {
    let variables = service["environment"].as_object().expect("variables");
    variables.iter().map(|(name, value)| (&**name, value.as_str().expect("a string"))).collect()
}
