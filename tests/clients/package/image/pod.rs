//! A client container and regpass in its network namespace, as in a pod: the client pulls and pushes at `localhost:5050`
//! and needs no login; the registry has a name that only the DNS of the containers knows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::net::UdpSocket;

use super::{CONFINED, GATEWAY, NAME};
use crate::docker::docker;
use crate::image::Image;
use crate::process::{Daemon, ended, output, plain, stdout};
use crate::registry::{PASSWORD, Registry, USER};

const HOST: &str = "registry.corp.test";

pub(super) async fn serves_the_client_it_is_beside(home: &Path) {
    let registry = Registry::start_htpasswd_at(&json!({ "addr": format!("{GATEWAY}:0") })).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    let asked = dns().await;
    client(home).await;
    let mut regpass = sidecar(home, registry.address.port()).await;

    let inspect =
        ["skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", "docker://localhost:5050/corp/team/app:1"];
    assert_eq!(in_client(home, &inspect).await.trim(), image.digest);
    assert!(asked.load(Ordering::Relaxed) > 0, "the static binary did not ask the container's DNS");
    in_client(
        home,
        &[
            "skopeo",
            "copy",
            "--all",
            "--src-tls-verify=false",
            "docker://localhost:5050/corp/team/app:1",
            "dir:/tmp/app",
        ],
    )
    .await;
    // Layers are larger than what is kept in memory: their spools are in the only place that can be written.
    in_client(
        home,
        &[
            "skopeo",
            "copy",
            "--all",
            "--dest-tls-verify=false",
            "dir:/tmp/app",
            "docker://localhost:5050/corp/team/copy:1",
        ],
    )
    .await;
    assert_eq!(registry.digest("team/copy:1").await, image.digest);

    // As the probes of the manifests ask.
    let health = stdout(docker(home).args(["exec", "sidecar", "/regpass", "health"])).await;
    assert!(health.starts_with("ready: http://127.0.0.1:5051/"), "{health}");

    // Its neighbours on the bridge do not reach it.
    let address = stdout(docker(home).args(["inspect", "--format={{.NetworkSettings.IPAddress}}", "client"])).await;
    for port in [5050, 5051] {
        let mut curl = plain("curl", home);
        curl.args(["-q", "--silent", "--max-time", "20"]).arg(format!("http://{}:{port}/v2/", address.trim()));
        assert_eq!(ended(&mut curl).await.status.code(), Some(7), "connection refused");
    }

    stdout(docker(home).args(["stop", "--time=60", "sidecar"])).await;
    assert_eq!(regpass.ended().await.code(), Some(0));
}

/// Everything of this machine that is a program, and nothing else of it.
async fn client(home: &Path) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut entry = |kind: tar::EntryType, name: &str, target: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o1777);
        if target.is_empty() {
            tar.append_data(&mut header, name, std::io::empty()).expect("tar in memory");
        } else {
            tar.append_link(&mut header, name, target).expect("tar in memory");
        }
    };
    for name in ["usr", "etc/containers", "tmp", "var/tmp"] {
        entry(tar::EntryType::Directory, name, "");
    }
    for name in ["bin", "lib", "lib64"] {
        entry(tar::EntryType::Symlink, name, &format!("usr/{name}"));
    }
    let file = home.join("client.tar");
    fs::write(&file, tar.into_inner().expect("tar in memory")).expect("the client's image");
    output(docker(home).arg("import").arg(file).arg("client")).await;
    let mut run = docker(home);
    run.args(["run", "--detach", "--name=client", "--volume=/usr:/usr:ro"]);
    run.arg("--volume=/etc/containers:/etc/containers:ro").arg(format!("--dns={GATEWAY}"));
    output(run.args(["client", "sleep", "infinity"])).await;
}

async fn in_client(home: &Path, command: &[&str]) -> String {
    stdout(docker(home).args(["exec", "client"]).args(command)).await
}

/// regpass as config/kubernetes/sidecar.yaml runs it: settings and login mounted, on the pod's loopback only.
async fn sidecar(home: &Path, port: u16) -> Daemon {
    let settings = format!(
        r#"
        credential = {{ source = "docker", file = "/run/secrets/regpass/config.json" }}
        allow = ["pull", "push"]
        [[listener]]
        address = "127.0.0.1:5050"
        [admin]
        address = "127.0.0.1:5051"
        [registry."{HOST}:{port}"]
        alias = "corp"
        url = "http://{HOST}:{port}"
        "#
    );
    let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let login = json!({ "auths": { format!("{HOST}:{port}"): { "auth": login } } });
    let [config, secret] = [("config", "config.toml", settings), ("secret", "config.json", login.to_string())].map(
        |(directory, file, text)| {
            let directory = home.join(directory);
            fs::create_dir(&directory).expect("a directory to mount");
            // The container's user is nobody's here.
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("to be read");
            fs::write(directory.join(file), text).expect("a file to mount");
            directory.display().to_string()
        },
    );
    let mut run = docker(home);
    run.args(["run", "--rm", "--name=sidecar", "--network=container:client"]).args(CONFINED);
    run.arg(format!("--volume={config}:/etc/regpass:ro")).arg(format!("--volume={secret}:/run/secrets/regpass:ro"));
    run.arg(NAME);
    let regpass = Daemon::start("regpass beside its client", run);
    regpass.line(|line| line.contains(" listening").then_some(())).await;
    regpass
}

/// The DNS of the containers: [`HOST`] is where the bridge begins, and there is nothing else. Counts its questions.
async fn dns() -> Arc<AtomicUsize> {
    let socket = UdpSocket::bind((GATEWAY, 53)).await.expect("the port is free in here");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut message = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut message).await {
            count.fetch_add(1, Ordering::Relaxed);
            socket.send_to(&answer(&message[..length]), from).await.expect("a client that waits");
        }
    });
    asked
}

/// RFC 1035, as far as one question needs it.
fn answer(question: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    const A: [u8; 2] = [0, 1];
    let mut name = Vec::new();
    let mut at = HEADER;
    while question[at] != 0 {
        let end = at + 1 + usize::from(question[at]);
        name.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
        at = end;
    }
    let kind = &question[at + 1..at + 3];
    let (known, is_a) = (name.join(".") == HOST, kind == A);
    let code = if known { 0 } else { 3 };
    let mut reply = question[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(known && is_a), 0, 0, 0, 0]);
    reply.extend(&question[HEADER..at + 5]);
    if known && is_a {
        let address: std::net::Ipv4Addr = GATEWAY.parse().expect("an address");
        // The name is the one at byte 12; class IN, one minute, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
