//! What the configuration does not allow never reaches the registry.

use http::Method;

use super::client::Talk;
use super::{Stage, UPLOADS, and, plain};
use crate::harness::{Regpass, put};
use crate::sim::{Family, Image, Sim, sha256};
use crate::wire::raw;

/// Every operation, and the word of `allow` that it needs.
fn operations() -> Vec<(&'static str, Method, String)> {
    let digest = sha256(b"x");
    let blob = format!("/v2/team/app/blobs/{digest}");
    let session = format!("{UPLOADS}some-session");
    vec![
        ("push", Method::POST, UPLOADS.to_owned()),
        ("push", Method::POST, and(UPLOADS, &format!("digest={digest}"))),
        ("push", Method::POST, and(UPLOADS, &format!("mount={digest}&from=team/other"))),
        ("push", Method::GET, session.clone()),
        ("push", Method::PATCH, session.clone()),
        ("push", Method::PUT, and(&session, &format!("digest={digest}"))),
        ("push", Method::DELETE, session),
        ("push", Method::PUT, "/v2/team/app/manifests/1".to_owned()),
        ("delete", Method::DELETE, "/v2/team/app/manifests/1".to_owned()),
        ("delete", Method::DELETE, blob.clone()),
        ("pull", Method::GET, blob),
        ("pull", Method::GET, "/v2/team/app/manifests/1".to_owned()),
    ]
}

async fn proxies(with: &str) -> (Sim, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(plain()).await;
    let text = Stage::text("", &registry, "").replace("allow = [\"pull\", \"push\", \"delete\"]", with);
    let regpass = Regpass::start(&sim, &text);
    (sim, regpass)
}

#[tokio::test(start_paused = true)]
async fn a_word_that_is_missing_in_allow_is_named() {
    for (allow, allowed) in [
        ("", &["pull"][..]),
        ("allow = [\"pull\"]", &["pull"]),
        ("allow = [\"push\"]", &["push"]),
        ("allow = [\"delete\"]", &["delete"]),
        ("allow = [\"pull\", \"delete\"]", &["pull", "delete"]),
        ("allow = []", &[]),
    ] {
        let (sim, regpass) = proxies(allow).await;
        for (word, method, target) in operations().into_iter().filter(|(word, ..)| !allowed.contains(word)) {
            let reply = regpass.send(super::carrying(method.clone(), &target, "x")).await;
            assert_eq!(reply.verdict(), "403 DENIED", "{allow} {method} {target}");
            let named = format!("add \"{word}\" to 'allow' of [registry.\"distribution.test\"]");
            assert!(reply.error().1.contains(&named), "{method} {target}: {reply:?}");
        }
        sim.ledger().expect(&[]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn repositories_are_judged_for_each_action() {
    let all = "allow = [\"pull\", \"push\", \"delete\"]";
    for (patterns, refused) in [
        ("[\"team/**\"]", &[][..]),
        ("[\"other/**\"]", &["pull", "push", "delete"]),
        ("{ push = [\"team/app\"], delete = [] }", &["delete"]),
        ("{ push = [\"other/**\"] }", &["push"]),
        ("{ delete = [\"team/apple\"], pull = [\"team\"] }", &["delete", "pull"]),
    ] {
        let (sim, regpass) = proxies(&format!("{all}\nrepositories = {patterns}")).await;
        for (word, method, target) in operations() {
            sim.ledger().take();
            let reply = regpass.send(super::carrying(method.clone(), &target, "x")).await;
            let denied = reply.status == 403 && reply.error().1.contains("see 'repositories' of");
            assert_eq!(denied, refused.contains(&word), "{patterns} {method} {target}: {reply:?}");
            if denied {
                assert!(reply.error().1.contains(&format!("'{word}' of team/app on distribution.test")), "{reply:?}");
                sim.ledger().expect(&[]);
            }
        }
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_pushes_may_ask_for_the_base() {
    let (sim, regpass) = proxies("allow = [\"push\"]").await;
    assert_eq!(regpass.get("/v2/").await.status, 200);
    sim.ledger().expect(&[]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn http_1_0_needs_a_length() {
    let stage = Stage::set(plain(), "").await;
    let target = stage.begin("team/app").await;
    stage.registry.store().write("team/app", |_| ());
    stage.forget();
    let finish = and(&target, &format!("digest={}", sha256(b"a blob")));
    let single = and(UPLOADS, &format!("digest={}", sha256(b"a blob")));
    for line in [
        format!("PATCH {target} HTTP/1.0"),
        format!("PUT {finish} HTTP/1.0"),
        format!("POST {single} HTTP/1.0"),
        "PUT /v2/team/app/manifests/1 HTTP/1.0".to_owned(),
    ] {
        let reply = raw(&stage.regpass, &[&line, "Host: localhost"]).await;
        assert_eq!(reply.verdict(), "411 SIZE_INVALID", "{line}");
        assert!(reply.error().1.contains("Content-Length"), "{reply:?}");
        stage.expect(&[]);
    }
    // With one, and where there is no body, it works.
    let mut talk = Talk::begin(&stage.regpass);
    talk.head(&[&format!("PUT {finish} HTTP/1.0"), "Content-Length: 6"]).await;
    talk.say("a blob").await;
    assert_eq!(talk.hear().await.status, 201);
    let reply = raw(&stage.regpass, &[&format!("POST {UPLOADS} HTTP/1.0"), "Host: localhost"]).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    stage.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_image_is_pushed_where_pulling_is_not_allowed() {
    let (sim, regpass) = proxies("allow = [\"push\"]").await;
    let reply = regpass.send(put("/v2/team/app/manifests/1", &Image::single("app", Family::Oci))).await;
    assert_eq!(reply.verdict(), "403 DENIED", "alice is unknown here: {reply:?}");
    assert!(sim.ledger().lines().len() >= 2, "the registry was asked");
    sim.finish();
}
