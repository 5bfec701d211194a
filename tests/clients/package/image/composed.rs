//! `docker-compose up` with config/compose.yaml: regpass becomes healthy, and only then the client beside it pulls.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::shipped;
use super::{GATEWAY, NAME};
use crate::docker::{self, docker};
use crate::image::Image;
use crate::process::{output, plain, stdout};
use crate::registry::{PASSWORD, Registry, USER};

/// How the image is called in the file.
const CALLED: &str = "regpass";

pub(super) async fn serves_its_client(home: &Path) {
    let registry = Registry::start_htpasswd_at(&json!({ "addr": format!("{GATEWAY}:0") })).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    output(docker(home).args(["tag", NAME, CALLED])).await;

    let at = home.join("composed");
    fs::create_dir(&at).expect("a directory");
    let settings = format!(
        r#"
        [registry."docker.io"]
        url = "http://{}"
        credential = {{ source = "password", username = "{USER}", password = "{PASSWORD}" }}
        "#,
        registry.address
    );
    let config = at.join("config.toml");
    fs::write(&config, settings).expect("the settings");
    // The client is a program of this machine, and the registry stands for Docker Hub; everything else is the file's.
    let more = json!({ "services": {
        "regpass": { "volumes": [format!("{}:/etc/regpass/config.toml:ro", config.display())] },
        "client": { "entrypoint": ["skopeo"], "volumes": ["/usr:/usr:ro", "/etc/containers:/etc/containers:ro"] },
    } });
    let file = at.join("more.yaml");
    fs::write(&file, more.to_string()).expect("the rest");
    let compose = || {
        let mut compose = plain("docker-compose", &at);
        compose.env("DOCKER_HOST", docker::socket(home)).env("CLIENT_IMAGE", "client").env("IMAGE", "team/app:1");
        compose
            .args(["--project-name=composed", "--file"])
            .arg(shipped("config/compose.yaml"))
            .arg("--file")
            .arg(&file);
        compose
    };
    let up = ["up", "--no-build", "--no-color", "--abort-on-container-exit", "--exit-code-from=client"];
    let told = stdout(compose().args(up)).await;
    assert!(told.contains(&format!("\"Digest\": \"{}\"", image.digest)), "{told}");
    let regpass = stdout(docker(home).args(["inspect", "--format={{json .}}", "composed_regpass_1"])).await;
    let regpass: serde_json::Value = serde_json::from_str(&regpass).expect("JSON");
    assert_eq!(regpass["State"]["Health"]["Log"][0]["ExitCode"], 0, "the client waited for it: {regpass}");
    assert_eq!(regpass["State"]["ExitCode"], 0, "it was stopped well: {regpass}");
    assert_eq!(regpass["HostConfig"]["ReadonlyRootfs"], true);
    output(compose().arg("down")).await;
}
