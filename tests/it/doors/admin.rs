//! The admin listener has the rules of every listener; probes carry no login and get by without.

use http::Method;

use super::network::{Served, through};
use super::{Files, PASSWORD, assert_wants_login, basic, get};
use crate::harness::request;

#[tokio::test]
async fn probes_are_answered_and_everything_else_wants_a_login() {
    let files = Files::new();
    let path = files.path("admin.sock");
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"unix:{}\"\n{}\n",
        path.display(),
        files.htpasswd(&[("alice", PASSWORD)])
    );
    let served = Served::start(&text).await;
    assert_eq!(through(&path, get("/livez", None)).await.status, 200);
    assert_ne!(through(&path, get("/readyz", None)).await.status, 401);
    for target in ["/", "/metrics", "/status.json", "/nothing", "/livez/", "/readyz/x", "//livez"] {
        assert_wants_login(&through(&path, get(target, None)).await, target);
        assert_wants_login(&through(&path, get(target, Some(&basic("alice", "wrong")))).await, target);
        assert_wants_login(&through(&path, request(Method::POST, target)).await, target);
        assert_ne!(through(&path, get(target, Some(&basic("alice", PASSWORD)))).await.status, 401, "{target}");
    }
    let metrics = through(&path, get("/metrics", Some(&basic("alice", PASSWORD)))).await;
    assert!(metrics.status == 200 && !String::from_utf8_lossy(&metrics.body).contains(PASSWORD));
    served.stop().await;
}

#[tokio::test]
async fn users_that_are_not_listed_are_not_even_told_that_it_is_alive() {
    let files = Files::new();
    let path = files.path("admin.sock");
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"unix:{}\"\nuids = [4294967294]\n",
        path.display()
    );
    let served = Served::start(&text).await;
    for target in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(through(&path, get(target, None)).await.verdict(), "403 DENIED", "{target}");
    }
    served.stop().await;
}
