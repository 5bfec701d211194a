//! dockerd and the docker CLI pull through regpass as the mirror of Docker Hub, and as `localhost:PORT/…`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::{Daemon, isolated, stdout};
use crate::stack::{Stack, in_both_auth_modes};

/// The text that dockerd logs once it is ready.
pub(crate) const READY: &str = "API listen on";

in_both_auth_modes!(each_platform_is_pulled_from_the_mirror_and_by_name);

async fn each_platform_is_pulled_from_the_mirror_and_by_name(stack: &Stack) {
    let _dockerd = start(stack.home(), Some(stack.regpass.url(""))).await;
    // dockerd pulls the first name through `registry-mirrors`: Docker Hub itself is out of reach.
    let names = ["python".to_owned(), stack.regpass.image("python"), stack.regpass.image("reg/toddysm/python")];
    for name in names {
        for platform in &stack.image.platforms {
            let architecture = format!("--platform=linux/{}", platform.architecture);
            let tagged = format!("{name}:3.12");
            pull(stack.home(), &[&architecture, &tagged], &stack.image.digest).await;

            let image = stdout(docker(stack.home()).args(["image", "inspect", "--format={{json .}}", &tagged])).await;
            let image: Value = serde_json::from_str(&image).expect("JSON");
            assert_eq!(image["Architecture"], platform.architecture, "{tagged}");
            assert_eq!(image["Id"], *platform.config, "{tagged}");
        }
    }
}

/// Runs `docker pull` with these arguments and checks the digest that it reports.
pub(crate) async fn pull(home: &Path, arguments: &[&str], digest: &str) {
    let printed = stdout(docker(home).arg("pull").args(arguments)).await;
    assert!(printed.contains(&format!("\nDigest: {digest}\n")), "docker pull {arguments:?}: {printed}");
}

/// Starts dockerd, which pulls images of Docker Hub from `mirror`.
pub(crate) async fn start(home: &Path, mirror: Option<String>) -> Daemon {
    let mut settings = settings(home);
    settings["registry-mirrors"] = Vec::from_iter(mirror).into();
    let file = home.join("daemon.json");
    fs::write(&file, settings.to_string()).expect("daemon.json is written");
    start_with(home, &file).await
}

/// The settings with which several dockerd can run side by side.
pub(crate) fn settings(home: &Path) -> Value {
    json!({
        "data-root": home.join("data"),
        "exec-root": home.join("exec"),
        "pidfile": home.join("pid"),
        "hosts": [socket(home)],
        // By default dockerd writes /etc/docker/key.json.
        "deprecated-key-path": home.join("key.json"),
        // Pulling needs no container network, and the storage driver vfs no support from the kernel.
        "storage-driver": "vfs",
        "bridge": "none",
        "iptables": false,
        "ip6tables": false,
        "ip-forward": false,
        "ip-masq": false,
    })
}

/// Starts dockerd with a configuration file.
pub(crate) async fn start_with(home: &Path, file: &Path) -> Daemon {
    let mut command = isolated("dockerd", home);
    command.arg("--config-file").arg(file);
    Daemon::start_ready("dockerd", command, READY).await
}

pub(crate) fn docker(home: &Path) -> Command {
    let mut docker = isolated("docker", home);
    docker.args(["--host", &socket(home)]);
    docker
}

pub(crate) fn socket(home: &Path) -> String {
    format!("unix://{}", home.join("docker.sock").display())
}
