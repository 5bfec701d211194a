//! dockerd and the docker CLI: regpass as the mirror of Docker Hub, and as `localhost:PORT/…`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::{Daemon, private, stdout};
use crate::scene::{Scene, in_both_modes};

in_both_modes!(pulls_from_its_mirror_and_by_name);

async fn pulls_from_its_mirror_and_by_name(scene: &Scene) {
    let _dockerd = start(scene.home(), Some(scene.regpass.url(""))).await;
    // dockerd reaches the first one by `registry-mirrors`: what the name stands for is far away.
    let names = ["python".to_owned(), scene.regpass.image("python"), scene.regpass.image("reg/toddysm/python")];
    for name in names {
        for platform in &scene.image.platforms {
            let wanted = format!("--platform=linux/{}", platform.architecture);
            let tagged = format!("{name}:3.12");
            let pulled = stdout(docker(scene.home()).args(["pull", &wanted, &tagged])).await;
            assert!(pulled.contains(&format!("\nDigest: {}\n", scene.image.digest)), "{pulled}");

            let image = stdout(docker(scene.home()).args(["image", "inspect", "--format={{json .}}", &tagged])).await;
            let image: Value = serde_json::from_str(&image).expect("JSON");
            assert_eq!(image["Architecture"], platform.architecture, "{tagged}");
            assert_eq!(image["Id"], *platform.config, "{tagged}");
        }
    }
}

/// `mirror` is where images of Docker Hub come from.
pub(crate) async fn start(home: &Path, mirror: Option<String>) -> Daemon {
    let mut settings = settings(home);
    settings["registry-mirrors"] = Vec::from_iter(mirror).into();
    let file = home.join("daemon.json");
    fs::write(&file, settings.to_string()).expect("daemon.json");
    start_with(home, &file).await
}

/// What dockerd needs to run beside others.
pub(crate) fn settings(home: &Path) -> Value {
    json!({
        "data-root": home.join("data"),
        "exec-root": home.join("exec"),
        "pidfile": home.join("pid"),
        "hosts": [socket(home)],
        // Else it writes /etc/docker/key.json.
        "deprecated-key-path": home.join("key.json"),
        // Pulling needs no network of its own, and the vfs driver nothing of the kernel.
        "storage-driver": "vfs",
        "bridge": "none",
        "iptables": false,
        "ip6tables": false,
        "ip-forward": false,
        "ip-masq": false,
    })
}

pub(crate) async fn start_with(home: &Path, file: &Path) -> Daemon {
    let mut command = private("dockerd", home);
    command.arg("--config-file").arg(file);
    let daemon = Daemon::start("dockerd", command);
    daemon.line(|line| line.contains("API listen on").then_some(())).await;
    daemon
}

pub(crate) fn docker(home: &Path) -> Command {
    let mut docker = private("docker", home);
    docker.args(["--host", &socket(home)]);
    docker
}

pub(crate) fn socket(home: &Path) -> String {
    format!("unix://{}", home.join("docker.sock").display())
}
