//! `docker-compose up` with config/compose.yaml: the client starts once regpass is healthy, and pulls.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::repository_file;
use super::{GATEWAY, NAME};
use crate::docker::{self, docker};
use crate::image::Image;
use crate::process::{output, program, stdout};
use crate::registry::{PASSWORD, Registry, USER};

/// The image's name in the compose file.
const NAME_IN_FILE: &str = "regpass";

pub(super) async fn assert_serves_its_client(home: &Path) {
    let registry = Registry::start_htpasswd_with_http(&json!({ "addr": format!("{GATEWAY}:0") })).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    output(docker(home).args(["tag", NAME, NAME_IN_FILE])).await;

    let folder = home.join("composed");
    fs::create_dir(&folder).expect("the directory is created");
    let settings = format!(
        r#"
        [registry."docker.io"]
        url = "http://{}"
        credential = {{ source = "password", username = "{USER}", password = "{PASSWORD}" }}
        "#,
        registry.address
    );
    let config = folder.join("config.toml");
    fs::write(&config, settings).expect("config.toml is written");
    // Only these differ from the compose file: the address of Docker Hub, and a client installed on this machine.
    let more = json!({ "services": {
        "regpass": { "volumes": [format!("{}:/etc/regpass/config.toml:ro", config.display())] },
        "client": { "entrypoint": ["skopeo"], "volumes": ["/usr:/usr:ro", "/etc/containers:/etc/containers:ro"] },
    } });
    let file = folder.join("more.yaml");
    fs::write(&file, more.to_string()).expect("more.yaml is written");
    let compose = || {
        let mut compose = program("docker-compose", &folder);
        compose.env("DOCKER_HOST", docker::socket(home)).env("CLIENT_IMAGE", "client").env("IMAGE", "team/app:1");
        compose
            .args(["--project-name=composed", "--file"])
            .arg(repository_file("config/compose.yaml"))
            .arg("--file")
            .arg(&file);
        compose
    };
    let up = ["up", "--no-build", "--no-color", "--abort-on-container-exit", "--exit-code-from=client"];
    let printed = stdout(compose().args(up)).await;
    assert!(printed.contains(&format!("\"Digest\": \"{}\"", image.digest)), "{printed}");
    let regpass = stdout(docker(home).args(["inspect", "--format={{json .}}", "composed_regpass_1"])).await;
    let regpass: serde_json::Value = serde_json::from_str(&regpass).expect("JSON");
    assert_eq!(regpass["State"]["Health"]["Log"][0]["ExitCode"], 0, "the first health check: {regpass}");
    assert_eq!(regpass["State"]["ExitCode"], 0, "the exit code: {regpass}");
    assert_eq!(regpass["HostConfig"]["ReadonlyRootfs"], true);
    output(compose().arg("down")).await;
}
