//! Client authentication at the admin listener: health probes need no client credential.

use std::path::Path;

use http::Method;

use super::connections::{Served, send_to_socket};
use super::{Files, PASSWORD, assert_challenged, basic, get};
use crate::harness::request;

/// A configuration with the admin listener at this unix socket.
fn config(socket: &Path, keys: &str) -> String {
    format!("[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"unix:{}\"\n{keys}\n", socket.display())
}

#[tokio::test]
async fn only_probes_are_answered_without_a_client_credential() {
    let files = Files::new();
    let path = files.path("admin.sock");
    let served = Served::start(&config(&path, &files.htpasswd(&[("alice", PASSWORD)]))).await;
    assert_eq!(send_to_socket(&path, get("/livez", None)).await.status, 200);
    assert_ne!(send_to_socket(&path, get("/readyz", None)).await.status, 401);
    for target in ["/", "/metrics", "/status.json", "/nothing", "/livez/", "/readyz/x", "//livez"] {
        assert_challenged(&send_to_socket(&path, get(target, None)).await, target);
        assert_challenged(&send_to_socket(&path, get(target, Some(&basic("alice", "wrong")))).await, target);
        assert_challenged(&send_to_socket(&path, request(Method::POST, target)).await, target);
        assert_ne!(send_to_socket(&path, get(target, Some(&basic("alice", PASSWORD)))).await.status, 401, "{target}");
    }
    let metrics = send_to_socket(&path, get("/metrics", Some(&basic("alice", PASSWORD)))).await;
    assert!(metrics.status == 200 && !String::from_utf8_lossy(&metrics.body).contains(PASSWORD));
    served.stop().await;
}

#[tokio::test]
async fn probes_of_unlisted_users_are_denied() {
    let files = Files::new();
    let path = files.path("admin.sock");
    let served = Served::start(&config(&path, "uids = [4294967294]")).await;
    for target in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(send_to_socket(&path, get(target, None)).await.status_and_code(), "403 DENIED", "{target}");
    }
    served.stop().await;
}
