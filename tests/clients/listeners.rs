//! Listeners that authenticate their clients or listen on a unix socket: real clients log in, present certificates, and
//! connect to the socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use crate::certificates::{CertificateAuthority, write_file};
use crate::curl::{curl, fetch};
use crate::docker;
use crate::engine::PODMAN;
use crate::process::{Daemon, isolated, output, program, stdout, unchecked_output};
use crate::registry::Registry;
use crate::stack::Stack;

const USER: &str = "alice";
const PASSWORD: &str = "alices own password";

const MANIFEST: &str = "/v2/python/manifests/3.12";

/// A stack whose first listener has these additional keys.
async fn start(listener_keys: &str) -> Stack {
    let head = format!("[[listener]]\naddress = \"127.0.0.1:0\"\n{listener_keys}\n");
    Stack::start_with(Registry::start_htpasswd().await, &head).await
}

/// Writes an htpasswd file with [`USER`] and [`PASSWORD`] and returns the listener's key for it.
fn htpasswd(folder: &Path) -> String {
    let hash = bcrypt::hash_with_salt(PASSWORD, 5, [3; 16]).expect("a hash").to_string();
    let file = write_file(folder, "htpasswd", &format!("{USER}:{hash}\n"));
    format!("clients = {{ htpasswd = \"{file}\" }}")
}

/// Writes a new authority's certificate to `ca.pem`, issues one for localhost, and returns the listener's key for it.
fn tls(folder: &Path) -> (CertificateAuthority, String) {
    let authority = CertificateAuthority::new();
    write_file(folder, "ca.pem", &authority.pem());
    let (certificate, key) = authority.issue_files("localhost", folder);
    (authority, format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}"))
}

/// Stops regpass and checks that its log contains neither the client's password nor its hash.
fn finish(stack: Stack) {
    for line in stack.finish() {
        assert!(!line.contains(PASSWORD) && !line.contains("$2b$"), "a secret in the log: {line}");
    }
}

fn login(user: &'static str, password: &'static str) -> [&'static str; 5] {
    ["login", "--username", user, "--password", password]
}

async fn assert_fails(command: &mut Command, reason: &str) {
    assert!(!unchecked_output(command).await.status.success(), "succeeded {reason}: {command:?}");
}

#[tokio::test]
async fn docker_pulls_only_after_login_with_the_right_password() {
    let files = TempDir::new().expect("a directory");
    for is_encrypted in [false, true] {
        // dockerd accepts any certificate of localhost.
        let keys = if is_encrypted { tls(files.path()).1 } else { String::new() };
        let stack = start(&format!("{}\n{keys}", htpasswd(files.path()))).await;
        let dockerd = docker::start(stack.home(), None).await;
        let (host, image) = (stack.regpass.host(), stack.regpass.image("python:3.12"));
        let docker = || docker::docker(stack.home());
        assert_fails(docker().args(["pull", &image]), "without a login").await;
        assert_fails(docker().args(login(USER, "wrong")).arg(&host), "with a wrong password").await;
        output(docker().args(login(USER, PASSWORD)).arg(&host)).await;
        docker::pull(stack.home(), &[&image], &stack.image.digest).await;
        drop(dockerd);
        finish(stack);
    }
}

#[tokio::test]
async fn podman_pulls_only_after_login_with_the_right_password() {
    let files = TempDir::new().expect("a directory");
    let stack = start(&htpasswd(files.path())).await;
    let (host, image) = (stack.regpass.host(), stack.regpass.image("python:3.12"));
    let authfile = format!("--authfile={}", stack.home().join("auth.json").display());
    let podman = |arguments: &[&str]| {
        let mut podman = PODMAN.command(stack.home());
        podman.args(arguments).args(["--tls-verify=false", &authfile]);
        podman
    };
    assert_fails(podman(&["pull"]).arg(&image), "without a login").await;
    assert_fails(podman(&login(USER, "wrong")).arg(&host), "with a wrong password").await;
    output(podman(&login(USER, PASSWORD)).arg(&host)).await;
    output(podman(&["pull", "--quiet"]).arg(&image)).await;
    finish(stack);
}

#[tokio::test]
async fn skopeo_inspects_only_after_login_with_a_password_or_bearer_secret() {
    let files = TempDir::new().expect("a directory");
    let bearer = "clients = { bearer = \"a secret of all clients\" }";
    for (keys, user, password) in
        [(htpasswd(files.path()), USER, PASSWORD), (bearer.to_owned(), "any user", "a secret of all clients")]
    {
        let stack = start(&keys).await;
        let image = format!("docker://{}", stack.regpass.image("python:3.12"));
        let authfile = format!("--authfile={}", stack.home().join("auth.json").display());
        let skopeo = |arguments: &[&str]| {
            let mut skopeo = isolated("skopeo", stack.home());
            skopeo.args(arguments).args(["--tls-verify=false", &authfile]);
            skopeo
        };
        let inspect = ["inspect", "--format={{.Digest}}"];
        assert_fails(skopeo(&inspect).arg(&image), "without a login").await;
        output(skopeo(&login(user, password)).arg(stack.regpass.host())).await;
        assert_eq!(stdout(skopeo(&inspect).arg(&image)).await.trim(), stack.image.digest, "as {user}");
        for line in stack.finish() {
            assert!(!line.contains(password), "a secret in the log: {line}");
        }
    }
}

#[tokio::test]
async fn curl_authenticates_over_tls_with_http1_and_http2() {
    let files = TempDir::new().expect("a directory");
    let (_, tls) = tls(files.path());
    let stack = start(&format!("{tls}\n{}", htpasswd(files.path()))).await;
    let ca = files.path().join("ca.pem");
    let url = stack.regpass.url(MANIFEST).replace("http://", "https://");
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let curl = || {
            let mut curl = curl(stack.home());
            curl.args([flag, "--cacert"]).arg(&ca).arg(&url);
            curl
        };
        let rejected = stdout(&mut curl()).await.to_ascii_lowercase();
        assert!(rejected.starts_with(&format!("http/{version} 401")), "{rejected}");
        assert!(rejected.contains("\nwww-authenticate: basic realm=\"regpass\"\r\n"), "{rejected}");
        let reply = fetch(curl().args(["--user", &format!("{USER}:{PASSWORD}")])).await;
        assert_eq!((reply.status, reply.header("docker-content-digest")), (200, Some(&*stack.image.digest)), "{flag}");
        let printed = stdout(curl().args(["--output", "/dev/null", "--write-out", "%{http_version}"])).await;
        assert!(printed.ends_with(version), "{flag}: {printed}");
    }
    finish(stack);
}

#[tokio::test]
async fn curl_is_identified_by_its_client_certificate_and_rejected_without() {
    let files = TempDir::new().expect("a directory");
    let (authority, tls) = tls(files.path());
    let ca = files.path().join("ca.pem");
    let stack = start(&format!("{tls}\nclients = {{ mtls_ca = \"{}\" }}", ca.display())).await;
    let url = stack.regpass.url(MANIFEST).replace("http://", "https://");
    let curl = || {
        let mut curl = curl(stack.home());
        curl.arg("--cacert").arg(&ca).arg(&url);
        curl
    };
    assert_fails(&mut curl(), "without a certificate").await;
    let (certificate, key) = authority.issue_files("ci", files.path());
    let reply = fetch(curl().args(["--cert", &certificate, "--key", &key])).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (200, Some(&*stack.image.digest)));
    let log = stack.finish();
    assert!(log.iter().any(|line| line.contains("\"client\":\"ci\"")), "{log:?}");
}

#[tokio::test]
async fn changed_certificate_is_used_and_invalid_one_is_ignored() {
    let files = TempDir::new().expect("a directory");
    let (_, keys) = tls(files.path());
    let stack = start(&keys).await;
    let url = stack.regpass.url("/v2/").replace("http://", "https://");
    let trusts =
        async |ca: &Path| unchecked_output(curl(stack.home()).arg("--cacert").arg(ca).arg(&url)).await.status.success();
    let (old, new) = (files.path().join("old-ca.pem"), files.path().join("ca.pem"));
    fs::copy(&new, &old).expect("ca.pem is copied");
    assert!(trusts(&old).await, "the first certificate");

    let skip = stack.regpass.log_length();
    fs::write(files.path().join("localhost.pem"), "nonsense").expect("the certificate is overwritten");
    stack.regpass.wait_for_log(skip, "the previous configuration stays active").await;
    stack.regpass.wait_for_log(skip, "localhost.pem").await;
    assert!(trusts(&old).await, "the first certificate while the file is invalid");

    let skip = stack.regpass.log_length();
    tls(files.path());
    stack.regpass.wait_for_log(skip, "configuration reloaded: the new configuration is active").await;
    assert!(trusts(&new).await && !trusts(&old).await, "the changed certificate");
    finish(stack);
}

#[tokio::test]
async fn socket_passed_by_systemd_is_used_and_its_file_is_kept() {
    // Does what systemd does: opens the socket before it starts the program, as descriptor 3.
    const PASS_SOCKET: &str = "
import os, socket, sys
passed = socket.socket(socket.AF_UNIX); passed.bind(sys.argv[1]); passed.listen(); os.chmod(sys.argv[1], 0o640)
os.dup2(passed.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])";
    let files = TempDir::new().expect("a directory");
    let socket = files.path().join("passed.sock");
    let config = format!("[[listener]]\naddress = \"unix:{}\"\nmode = \"0600\"", socket.display());
    let config = write_file(files.path(), "config.toml", &config);
    let mut command = program("python3", files.path());
    command.args(["-c", PASS_SOCKET]).arg(&socket).arg(env!("CARGO_BIN_EXE_regpass"));
    command.args(["--log", "json", "serve", "--config", &config]);
    let regpass = Daemon::start_ready("regpass", command, "\"listening\"").await;
    let mode = fs::metadata(&socket).expect("the socket's file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o640, "regpass changed the mode that systemd set");
    let mut curl = program("curl", files.path());
    let body = stdout(curl.args(["-q", "--silent", "--unix-socket"]).arg(&socket).arg("http://any/v2/")).await;
    assert_eq!(body, "{}");
    regpass.signal("TERM");
    regpass.wait_for_text("\"stopped\"").await;
    drop(regpass);
    assert!(socket.exists(), "regpass removed a socket on which systemd keeps listening");
}

#[tokio::test]
async fn unix_socket_serves_curl_and_its_file_is_removed_at_exit() {
    let files = TempDir::new().expect("a directory");
    let socket = files.path().join("regpass.sock");
    let stack = start(&format!("[[listener]]\naddress = \"unix:{}\"\nuids = [0]", socket.display())).await;
    let mut curl = curl(stack.home());
    let reply = fetch(curl.arg("--unix-socket").arg(&socket).arg(format!("http://any{MANIFEST}"))).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (200, Some(&*stack.image.digest)));
    stack.regpass.signal("TERM");
    stack.regpass.wait_for_log(0, "\"stopped\"").await;
    assert!(!socket.exists(), "the socket's file still exists");
    finish(stack);
}
