//! A client container and regpass in its network namespace, as in a pod: the client pulls and pushes at `localhost:5050`
//! without a credential. Only the DNS server of the containers resolves the registry's name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::net::UdpSocket;

use super::{GATEWAY, NAME, RESTRICTED};
use crate::docker::docker;
use crate::image::Image;
use crate::process::{Daemon, output, program, stdout, unchecked_output};
use crate::registry::{PASSWORD, Registry, USER};

const HOST: &str = "registry.corp.test";

pub(super) async fn assert_serves_its_client(home: &Path) {
    let registry = Registry::start_htpasswd_with_http(&json!({ "addr": format!("{GATEWAY}:0") })).await;
    let image = Image::build("app");
    registry.push(&image, "team/app:1").await;
    let queries = start_dns_server().await;
    start_client(home).await;
    let mut regpass = start_sidecar(home, registry.address.port()).await;

    let source = "docker://localhost:5050/corp/team/app:1";
    let inspect = ["skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", source];
    assert_eq!(in_client(home, &inspect).await.trim(), image.digest);
    assert!(queries.load(Ordering::Relaxed) > 0, "the static binary did not query the container's DNS server");
    in_client(home, &["skopeo", "copy", "--all", "--src-tls-verify=false", source, "dir:/tmp/app"]).await;
    // The layers are larger than regpass buffers in memory, so it spools them to /tmp, the only writable directory.
    let target = "docker://localhost:5050/corp/team/copy:1";
    in_client(home, &["skopeo", "copy", "--all", "--dest-tls-verify=false", "dir:/tmp/app", target]).await;
    assert_eq!(registry.digest("team/copy:1").await, image.digest);

    // The probes in the Kubernetes manifests run this command.
    let health = stdout(docker(home).args(["exec", "sidecar", "/regpass", "health"])).await;
    assert!(health.starts_with("ready: http://127.0.0.1:5051/"), "{health}");

    // Neither listener is reachable from docker's bridge.
    let address = stdout(docker(home).args(["inspect", "--format={{.NetworkSettings.IPAddress}}", "client"])).await;
    for port in [5050, 5051] {
        let mut curl = program("curl", home);
        curl.args(["-q", "--silent", "--max-time", "20"]).arg(format!("http://{}:{port}/v2/", address.trim()));
        assert_eq!(unchecked_output(&mut curl).await.status.code(), Some(7), "connection refused");
    }

    stdout(docker(home).args(["stop", "--time=60", "sidecar"])).await;
    assert_eq!(regpass.wait_for_exit().await.code(), Some(0));
}

/// Starts a container named `client` with the programs of this machine.
async fn start_client(home: &Path) {
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
    fs::write(&file, tar.into_inner().expect("tar in memory")).expect("the client's image is written");
    output(docker(home).arg("import").arg(file).arg("client")).await;
    let mut run = docker(home);
    run.args(["run", "--detach", "--name=client", "--volume=/usr:/usr:ro"]);
    run.arg("--volume=/etc/containers:/etc/containers:ro").arg(format!("--dns={GATEWAY}"));
    output(run.args(["client", "sleep", "infinity"])).await;
}

/// Runs a command in the client's container.
async fn in_client(home: &Path, command: &[&str]) -> String {
    stdout(docker(home).args(["exec", "client"]).args(command)).await
}

/// Starts regpass as config/kubernetes/sidecar.yaml does: configuration and credential mounted, on loopback only.
async fn start_sidecar(home: &Path, port: u16) -> Daemon {
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
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let credential = json!({ "auths": { format!("{HOST}:{port}"): { "auth": auth } } });
    let [config, secret] = [("config", "config.toml", settings), ("secret", "config.json", credential.to_string())]
        .map(|(directory, file, text)| {
            let directory = home.join(directory);
            fs::create_dir(&directory).expect("a directory is created");
            // The container's user owns no file on this machine.
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("the directory is readable");
            fs::write(directory.join(file), text).expect("a file is written");
            directory.display().to_string()
        });
    let mut run = docker(home);
    run.args(["run", "--rm", "--name=sidecar", "--network=container:client"]).args(RESTRICTED);
    run.arg(format!("--volume={config}:/etc/regpass:ro")).arg(format!("--volume={secret}:/run/secrets/regpass:ro"));
    run.arg(NAME);
    Daemon::start_ready("regpass beside its client", run, " listening").await
}

/// Starts the DNS server of the containers, which resolves only [`HOST`], to [`GATEWAY`]. Returns its number of queries.
async fn start_dns_server() -> Arc<AtomicUsize> {
    let socket = UdpSocket::bind((GATEWAY, 53)).await.expect("port 53 is free in the sandbox");
    let queries = Arc::new(AtomicUsize::new(0));
    let count = queries.clone();
    tokio::spawn(async move {
        let mut message = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut message).await {
            count.fetch_add(1, Ordering::Relaxed);
            socket.send_to(&dns_response(&message[..length]), from).await.expect("the response is sent");
        }
    });
    queries
}

/// The response to a DNS query with one question (RFC 1035).
fn dns_response(query: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    const A: [u8; 2] = [0, 1];
    let mut labels = Vec::new();
    let mut at = HEADER;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let kind = &query[at + 1..at + 3];
    let (is_host, is_a) = (labels.join(".") == HOST, kind == A);
    let code = if is_host { 0 } else { 3 };
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(is_host && is_a), 0, 0, 0, 0]);
    reply.extend(&query[HEADER..at + 5]);
    if is_host && is_a {
        let address: std::net::Ipv4Addr = GATEWAY.parse().expect("an address");
        // A pointer to the name at byte 12, then class IN, a lifetime of one minute, and four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}
