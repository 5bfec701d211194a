//! `allow` and `repositories`: requests that the configuration does not allow are rejected before the registry gets them.

use http::Method;

use super::clients::RawConnection;
use super::{PushSetup, UPLOADS, token_registry, with_digest, with_query};
use crate::harness::{Regpass, manifest_put};
use crate::sim::{Image, ImageFormat, Sim, sha256};
use crate::wire::send_raw;

/// Every operation, and the action in `allow` that it needs.
fn operations() -> Vec<(&'static str, Method, String)> {
    let digest = sha256(b"x");
    let blob = format!("/v2/team/app/blobs/{digest}");
    let session = format!("{UPLOADS}some-session");
    vec![
        ("push", Method::POST, UPLOADS.to_owned()),
        ("push", Method::POST, with_query(UPLOADS, &format!("digest={digest}"))),
        ("push", Method::POST, with_query(UPLOADS, &format!("mount={digest}&from=team/other"))),
        ("push", Method::GET, session.clone()),
        ("push", Method::PATCH, session.clone()),
        ("push", Method::PUT, with_query(&session, &format!("digest={digest}"))),
        ("push", Method::DELETE, session),
        ("push", Method::PUT, "/v2/team/app/manifests/1".to_owned()),
        ("delete", Method::DELETE, "/v2/team/app/manifests/1".to_owned()),
        ("delete", Method::DELETE, blob.clone()),
        ("pull", Method::GET, blob),
        ("pull", Method::GET, "/v2/team/app/manifests/1".to_owned()),
    ]
}

async fn start(table: &str) -> (Sim, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(token_registry()).await;
    let text = PushSetup::config_text("", &registry, "").replace("allow = [\"pull\", \"push\", \"delete\"]", table);
    let regpass = Regpass::start(&sim, &text);
    (sim, regpass)
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_allow_lacks_is_a_403_that_names_the_action() {
    for (allow, allowed) in [
        ("", &["pull"][..]),
        ("allow = [\"pull\"]", &["pull"]),
        ("allow = [\"push\"]", &["push"]),
        ("allow = [\"delete\"]", &["delete"]),
        ("allow = [\"pull\", \"delete\"]", &["pull", "delete"]),
        ("allow = []", &[]),
    ] {
        let (sim, regpass) = start(allow).await;
        for (action, method, target) in operations().into_iter().filter(|(action, ..)| !allowed.contains(action)) {
            let reply = regpass.send(super::request_with_body(method.clone(), &target, "x")).await;
            assert_eq!(reply.status_and_code(), "403 DENIED", "{allow} {method} {target}");
            let named = format!("add \"{action}\" to `allow` in [registry.\"distribution.test\"]");
            assert!(reply.error().1.contains(&named), "{method} {target}: {reply:?}");
        }
        sim.ledger().expect(&[]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_outside_repositories_is_a_403_that_names_the_action() {
    let all = "allow = [\"pull\", \"push\", \"delete\"]";
    for (patterns, denied_actions) in [
        ("[\"team/**\"]", &[][..]),
        ("[\"other/**\"]", &["pull", "push", "delete"]),
        ("{ push = [\"team/app\"], delete = [] }", &["delete"]),
        ("{ push = [\"other/**\"] }", &["push"]),
        ("{ delete = [\"team/apple\"], pull = [\"team\"] }", &["delete", "pull"]),
    ] {
        let (sim, regpass) = start(&format!("{all}\nrepositories = {patterns}")).await;
        for (action, method, target) in operations() {
            sim.ledger().take();
            let reply = regpass.send(super::request_with_body(method.clone(), &target, "x")).await;
            let is_denied = reply.status == 403 && reply.error().1.contains("see `repositories` in");
            assert_eq!(is_denied, denied_actions.contains(&action), "{patterns} {method} {target}: {reply:?}");
            if is_denied {
                assert!(
                    reply.error().1.contains(&format!("`{action}` of the repository team/app on distribution.test")),
                    "{reply:?}"
                );
                sim.ledger().expect(&[]);
            }
        }
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn v2_is_a_200_for_a_registry_that_allows_push_only() {
    let (sim, regpass) = start("allow = [\"push\"]").await;
    assert_eq!(regpass.get("/v2/").await.status, 200);
    sim.ledger().expect(&[]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_http_1_0_request_with_a_body_needs_a_content_length() {
    let (setup, target) = PushSetup::with_upload().await;
    setup.registry.store().write("team/app", |_| ());
    setup.clear_ledger();
    let finish = with_digest(&target, b"a blob");
    let single = with_digest(UPLOADS, b"a blob");
    for line in [
        format!("PATCH {target} HTTP/1.0"),
        format!("PUT {finish} HTTP/1.0"),
        format!("POST {single} HTTP/1.0"),
        "PUT /v2/team/app/manifests/1 HTTP/1.0".to_owned(),
    ] {
        let reply = send_raw(&setup.regpass, &[&line, "Host: localhost"]).await;
        assert_eq!(reply.status_and_code(), "411 SIZE_INVALID", "{line}");
        assert!(reply.error().1.contains("Content-Length"), "{reply:?}");
        setup.expect(&[]);
    }
    // With `Content-Length`, and without a body, HTTP/1.0 works.
    let mut connection =
        RawConnection::open_with_head(&setup.regpass, &[&format!("PUT {finish} HTTP/1.0"), "Content-Length: 6"]).await;
    connection.write("a blob").await;
    assert_eq!(connection.read_response().await.status, 201);
    let reply = send_raw(&setup.regpass, &[&format!("POST {UPLOADS} HTTP/1.0"), "Host: localhost"]).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_push_without_pull_in_allow_reaches_the_registry() {
    let (sim, regpass) = start("allow = [\"push\"]").await;
    let reply = regpass.send(manifest_put("/v2/team/app/manifests/1", &Image::single("app", ImageFormat::Oci))).await;
    assert_eq!(reply.status_and_code(), "403 DENIED", "the registry does not know alice: {reply:?}");
    assert!(sim.ledger().lines().len() >= 2, "regpass sends requests to the registry");
    sim.finish();
}
