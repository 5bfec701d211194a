//! Listeners that do not let everybody in: real clients log in, show certificates, and come by a unix socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::certificates::Authority;
use crate::curl::{curl, fetch};
use crate::process::{Daemon, ended, output, plain, private, stdout};
use crate::registry::Registry;
use crate::scene::{Login, Scene};
use crate::{docker, podman};

const USER: &str = "alice";
const PASSWORD: &str = "alices own password";

/// A registry, and regpass in front of it with these keys on its first listener.
async fn set(keys: &str) -> Scene {
    let head = format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{keys}\n");
    Scene::set_with(Registry::start_htpasswd().await, Login::Password, &head).await
}

fn htpasswd(files: &Path) -> String {
    let hash = bcrypt::hash_with_salt(PASSWORD, 5, [3; 16]).expect("a hash").to_string();
    let file = files.join("htpasswd");
    fs::write(&file, format!("{USER}:{hash}\n")).expect("htpasswd");
    format!("clients = {{ htpasswd = \"{}\" }}", file.display())
}

/// An authority, which is written to `ca.pem`, and `tls = …` with a certificate of it for localhost.
fn tls(files: &Path) -> (Authority, String) {
    let issuer = Authority::new();
    fs::write(files.join("ca.pem"), issuer.pem()).expect("ca.pem");
    let (certificate, key) = certify(&issuer, files, "localhost");
    (issuer, format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}"))
}

/// The files of a certificate and its key.
fn certify(issuer: &Authority, files: &Path, name: &str) -> (String, String) {
    let (certificate, key) = issuer.certify(name);
    let write = |kind: &str, text: &str| {
        let file = files.join(format!("{name}-{kind}.pem"));
        fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    (write("cert", &certificate), write("key", &key))
}

/// Ends regpass; the client's password is not in its log.
fn close(scene: Scene) {
    for line in scene.close() {
        assert!(!line.contains(PASSWORD) && !line.contains("$2b$"), "a secret in the log: {line}");
    }
}

#[tokio::test]
async fn docker_logs_in_and_pulls() {
    let files = TempDir::new().expect("files");
    for encrypted in [false, true] {
        // dockerd takes any certificate of localhost.
        let keys = if encrypted { tls(files.path()).1 } else { String::new() };
        let scene = set(&format!("{}\n{keys}", htpasswd(files.path()))).await;
        let dockerd = docker::start(scene.home(), None).await;
        let (host, image) = (scene.regpass.image(""), scene.regpass.image("python:3.12"));
        let docker = || docker::docker(scene.home());
        let login = |password: &'static str| ["login", "--username", USER, "--password", password];
        let host = host.trim_end_matches('/');

        assert!(!ended(docker().args(["pull", &image])).await.status.success(), "without a login");
        assert!(!ended(docker().args(login("wrong")).arg(host)).await.status.success(), "with a wrong one");
        output(docker().args(login(PASSWORD)).arg(host)).await;
        let pulled = stdout(docker().args(["pull", &image])).await;
        assert!(pulled.contains(&format!("\nDigest: {}\n", scene.image.digest)), "{pulled}");
        drop(dockerd);
        close(scene);
    }
}

#[tokio::test]
async fn podman_logs_in_and_pulls() {
    let files = TempDir::new().expect("files");
    let scene = set(&htpasswd(files.path())).await;
    let (host, image) = (scene.regpass.image(""), scene.regpass.image("python:3.12"));
    let authfile = format!("--authfile={}", scene.home().join("auth.json").display());
    let podman = |arguments: &[&str]| {
        let mut podman = podman::podman(scene.home());
        podman.args(arguments).args(["--tls-verify=false", &authfile]);
        podman
    };
    let login = |password: &'static str| ["login", "--username", USER, "--password", password];
    let host = host.trim_end_matches('/');
    assert!(!ended(podman(&["pull"]).arg(&image)).await.status.success(), "without a login");
    assert!(!ended(podman(&login("wrong")).arg(host)).await.status.success(), "with a wrong one");
    output(podman(&login(PASSWORD)).arg(host)).await;
    output(podman(&["pull", "--quiet"]).arg(&image)).await;
    close(scene);
}

#[tokio::test]
async fn skopeo_logs_in_and_inspects() {
    let files = TempDir::new().expect("files");
    let secret = "clients = { bearer = \"a secret of all clients\" }";
    for (keys, user, password) in
        [(htpasswd(files.path()), USER, PASSWORD), (secret.to_owned(), "anybody", "a secret of all clients")]
    {
        let scene = set(&keys).await;
        let (host, image) = (scene.regpass.image(""), format!("docker://{}", scene.regpass.image("python:3.12")));
        let authfile = format!("--authfile={}", scene.home().join("auth.json").display());
        let skopeo = |arguments: &[&str]| {
            let mut skopeo = private("skopeo", scene.home());
            skopeo.args(arguments).args(["--tls-verify=false", &authfile]);
            skopeo
        };
        let inspect = ["inspect", "--format={{.Digest}}"];
        assert!(!ended(skopeo(&inspect).arg(&image)).await.status.success(), "without a login");
        let login = ["login", "--username", user, "--password", password];
        output(skopeo(&login).arg(host.trim_end_matches('/'))).await;
        assert_eq!(stdout(skopeo(&inspect).arg(&image)).await.trim(), scene.image.digest);
        for line in scene.close() {
            assert!(!line.contains(password), "a secret in the log: {line}");
        }
    }
}

#[tokio::test]
async fn curl_logs_in_over_tls_in_either_protocol() {
    let files = TempDir::new().expect("files");
    let (_, tls) = tls(files.path());
    let scene = set(&format!("{tls}\n{}", htpasswd(files.path()))).await;
    let ca = files.path().join("ca.pem");
    let url = scene.regpass.url("/v2/python/manifests/3.12").replace("http://", "https://");
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let curl = || {
            let mut curl = curl(&scene);
            curl.args([flag, "--cacert"]).arg(&ca).arg(&url);
            curl
        };
        let refused = stdout(&mut curl()).await.to_ascii_lowercase();
        assert!(refused.starts_with(&format!("http/{version} 401")), "{refused}");
        assert!(refused.contains("\nwww-authenticate: basic realm=\"regpass\"\r\n"), "{refused}");
        let reply = fetch(curl().args(["--user", &format!("{USER}:{PASSWORD}")])).await;
        assert_eq!((reply.status, reply.header("docker-content-digest")), (200, Some(&*scene.image.digest)));
        let spoken = stdout(curl().args(["--output", "/dev/null", "--write-out", "%{http_version}"])).await;
        assert!(spoken.ends_with(version), "{spoken}");
    }
    close(scene);
}

#[tokio::test]
async fn curl_shows_a_certificate() {
    let files = TempDir::new().expect("files");
    let (issuer, tls) = tls(files.path());
    let ca = files.path().join("ca.pem");
    let scene = set(&format!("{tls}\nclients = {{ mtls_ca = \"{}\" }}", ca.display())).await;
    let url = scene.regpass.url("/v2/python/manifests/3.12").replace("http://", "https://");
    let curl = || {
        let mut curl = curl(&scene);
        curl.arg("--cacert").arg(&ca).arg(&url);
        curl
    };
    assert!(!ended(&mut curl()).await.status.success(), "without a certificate");
    let (certificate, key) = certify(&issuer, files.path(), "ci");
    let reply = fetch(curl().args(["--cert", &certificate, "--key", &key])).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (200, Some(&*scene.image.digest)));
    let log = scene.close();
    assert!(log.iter().any(|line| line.contains("\"client\":\"ci\"")), "{log:?}");
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let files = TempDir::new().expect("files");
    let (_, keys) = tls(files.path());
    let scene = set(&keys).await;
    let url = scene.regpass.url("/v2/").replace("http://", "https://");
    let ask = async |ca: &Path| ended(curl(&scene).arg("--cacert").arg(ca).arg(&url)).await.status.success();
    let (old, new) = (files.path().join("old-ca.pem"), files.path().join("ca.pem"));
    fs::copy(&new, &old).expect("a copy");
    assert!(ask(&old).await);

    let mark = scene.regpass.mark();
    fs::write(files.path().join("localhost-cert.pem"), "nonsense").expect("a file");
    scene.regpass.logged(mark, "the one before stays in force").await;
    scene.regpass.logged(mark, "localhost-cert.pem").await;
    assert!(ask(&old).await);

    let mark = scene.regpass.mark();
    tls(files.path());
    scene.regpass.logged(mark, "the new configuration is in force").await;
    assert!(ask(&new).await && !ask(&old).await);
    close(scene);
}

#[tokio::test]
async fn a_socket_that_is_handed_over_is_used_and_its_file_left_alone() {
    // What systemd does: the socket is open before the program is there, and its number is 3.
    const HAND_OVER: &str = "
import os, socket, sys
handed = socket.socket(socket.AF_UNIX); handed.bind(sys.argv[1]); handed.listen(); os.chmod(sys.argv[1], 0o640)
os.dup2(handed.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])";
    let files = TempDir::new().expect("files");
    let (socket, config) = (files.path().join("handed.sock"), files.path().join("config.toml"));
    fs::write(&config, format!("[[listener]]\naddress = \"unix:{}\"\nmode = \"0600\"", socket.display()))
        .expect("config");
    let mut command = plain("python3", files.path());
    command.args(["-c", HAND_OVER]).arg(&socket).arg(env!("CARGO_BIN_EXE_regpass"));
    let regpass = Daemon::start("regpass", {
        command.args(["--log", "json", "serve", "--config"]).arg(&config);
        command
    });
    regpass.line(|line| line.contains("\"listening\"").then_some(())).await;
    let mode = fs::metadata(&socket).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "the mode is whoever made the file's business");
    let mut curl = plain("curl", files.path());
    let pong = stdout(curl.args(["-q", "--silent", "--unix-socket"]).arg(&socket).arg("http://any/v2/")).await;
    assert_eq!(pong, "{}");
    output(plain("kill", files.path()).args(["-TERM", &regpass.id().to_string()])).await;
    regpass.line(|line| line.contains("\"stopped\"").then_some(())).await;
    drop(regpass);
    assert!(socket.exists(), "systemd goes on listening there");
}

#[tokio::test]
async fn curl_comes_by_a_unix_socket() {
    let files = TempDir::new().expect("files");
    let socket = files.path().join("regpass.sock");
    let scene = set(&format!("[[listener]]\naddress = \"unix:{}\"\nuids = [0]", socket.display())).await;
    let reply = fetch(curl(&scene).arg("--unix-socket").arg(&socket).arg("http://any/v2/python/manifests/3.12")).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (200, Some(&*scene.image.digest)));
    output(plain("kill", scene.home()).args(["-TERM", &scene.regpass.id().to_string()])).await;
    scene.regpass.logged(0, "\"stopped\"").await;
    assert!(!socket.exists(), "its file goes with it");
    close(scene);
}
