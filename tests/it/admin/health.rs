//! `/livez` and `/readyz`: about the process; a sick registry is told of, and changes nothing.

use std::time::Duration;

use http::Method;
use regpass::observe::reloads::Unusable;
use serde_json::{Value, json};
use tokio::time::advance;

use super::{APP, Scene};
use crate::harness::{Regpass, Reply, request, with};
use crate::sim::{Fault, Sim};

fn text(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn it_is_alive_from_the_first_moment_and_ready_from_listening_to_draining() {
    let regpass = Regpass::start(&Sim::memory(), "");
    assert_eq!(text(&regpass.admin("/livez").await), (200, "ok\n".into()));
    let starting = text(&regpass.admin("/readyz").await);
    assert!(starting.0 == 503 && starting.1.starts_with("starting\n"), "{starting:?}");
    assert_eq!(regpass.status().await["stage"], "starting");

    regpass.listens();
    let serving = text(&regpass.admin("/readyz").await);
    assert_eq!(serving, (200, "ok\nregistry docker.io: unused\n".into()));

    regpass.proxy.drain();
    let draining = text(&regpass.admin("/readyz").await);
    assert!(draining.0 == 503 && draining.1.starts_with("draining\n"), "{draining:?}");
    assert_eq!(text(&regpass.admin("/livez").await), (200, "ok\n".into()), "not a reason to be killed");
    assert_eq!(regpass.status().await["stage"], "draining");
    let page = regpass.admin("/").await;
    assert!(String::from_utf8_lossy(&page.body).contains("Stopping: open requests may finish"));
}

#[tokio::test(start_paused = true)]
async fn one_sick_registry_is_told_of_and_does_not_make_it_unready() {
    let scene = Scene::new("", "").await;
    scene.pull().await;
    scene.corp.registry().inject(Fault::close_on_accept());
    let corp = "/v2/corp.example:5000/team/app/manifests/1";
    assert_eq!(scene.regpass.get(corp).await.status, 502);
    let (status, words) = text(&scene.regpass.admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(words.starts_with("ok\n") && words.contains("registry docker.io: healthy\n"), "{words}");
    assert!(words.contains("registry corp.example:5000: failing\n"), "{words}");
    assert!(words.contains("the connection broke before an answer came"), "{words}");

    let detail = scene.regpass.ask(with(request(Method::GET, "/readyz"), "accept", "application/json")).await;
    assert_eq!(detail.header("content-type"), Some("application/json"));
    let detail = detail.json();
    assert_eq!((&detail["ready"], &detail["stage"]), (&Value::from(true), &Value::from("serving")));
    let corp_detail = &detail["registries"][1];
    assert_eq!((&corp_detail["host"], &corp_detail["state"]), (&"corp.example:5000".into(), &"failing".into()));
    assert_eq!(corp_detail["troubles"].as_array().unwrap().len(), 1);

    scene.corp.registry().lift_faults();
    assert_eq!(scene.regpass.get(corp).await.status, 200);
    let (_, words) = text(&scene.regpass.admin("/readyz").await);
    assert!(words.contains("registry corp.example:5000: healthy\n"), "it is over: {words}");
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_told_and_when_it_is_tried_again() {
    let sim = Sim::memory();
    let text_of = |reply: Reply| String::from_utf8(reply.body.to_vec()).unwrap();
    let regpass = Regpass::start(&sim, "[registry.\"gone.test\"]\nurl = \"http://gone.test\"\n");
    regpass.listens();
    for _ in 0..3 {
        assert_eq!(regpass.get("/v2/gone.test/a/b/manifests/1").await.status, 502);
    }
    let ready = regpass.admin("/readyz").await;
    assert_eq!(ready.status, 200);
    let words = text_of(ready);
    assert!(words.contains("registry gone.test: down\n  http://gone.test does not answer: "), "{words}");
    assert!(words.contains("(3 times in a row; asked again in 1 s)"), "{words}");
    let page = text_of(regpass.admin("/").await);
    assert!(page.contains("gone.test does not answer") && page.contains("data-mood=\"down\""), "the headline says so");
}

#[tokio::test(start_paused = true)]
async fn a_stale_login_and_one_that_cannot_be_read_are_told() {
    let stale = "credential = { source = \"password\", username = \"alice\", password = \"of-last-year\" }";
    let missing = "credential = { source = \"docker\", file = \"/nowhere/config.json\" }";
    let scene = Scene::new(stale, missing).await;
    scene.pull().await;
    assert_eq!(scene.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    let (status, words) = text(&scene.regpass.admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(
        words.contains("registry docker.io: degraded\n  the registry refuses the login from password in"),
        "{words}"
    );
    assert!(words.contains("registry corp.example:5000: degraded\n  the login from 'docker' cannot be had"), "{words}");
    assert!(words.contains("/nowhere/config.json does not exist"), "{words}");
    assert!(!words.contains("of-last-year"));

    let hub = &scene.registry("docker.io").await;
    assert_eq!((&hub["credentials"][0]["refused"], &hub["state"]), (&true.into(), &"degraded".into()));
    let corp = &scene.registry("corp.example:5000").await["credentials"][0];
    assert_eq!((&corp["source"], &corp["identity"]), (&"docker".into(), &Value::Null));
    assert!(corp["problem"].as_str().unwrap().contains("/nowhere/config.json"));
}

#[tokio::test(start_paused = true)]
async fn what_only_one_repository_is_denied_does_not_make_a_registry_sick() {
    let scene = Scene::new("", "").await;
    scene.pull().await;
    assert_eq!(scene.regpass.get("/v2/docker.io/nobody/secret/manifests/1").await.verdict(), "403 DENIED");
    let hub = scene.registry("docker.io").await;
    assert_eq!((&hub["state"], &hub["failed"]), (&"healthy".into(), &1.into()));
    assert_eq!(hub["last_failure"]["blame"], "credential", "though it is told");
    assert_eq!(scene.regpass.get(&APP.replace("/1", "/2")).await.status, 404);
    assert_eq!(scene.registry("docker.io").await["state"], "healthy");
}

#[tokio::test(start_paused = true)]
async fn a_refused_configuration_is_told_and_does_not_make_it_unready() {
    let scene = Scene::new("", "").await;
    scene.regpass.proxy.reloads.refused("/etc/regpass/config.toml:3: 'alow' is no key");
    let (status, words) = text(&scene.regpass.admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(words.starts_with("ok\nconfiguration refused"), "{words}");
    assert!(words.contains("  /etc/regpass/config.toml:3: 'alow' is no key\n"), "{words}");
    let status = scene.regpass.status().await;
    let problems = &status["configuration"]["refused"]["problems"];
    assert_eq!(problems, "/etc/regpass/config.toml:3: 'alow' is no key");
    let page = scene.page().await;
    assert!(
        page.contains("The configuration was refused") && page.contains("config.toml:3: 'alow' is no key"),
        "{page}"
    );

    scene.regpass.proxy.reloads.replaced();
    assert!(text(&scene.regpass.admin("/readyz").await).1.starts_with("ok\nregistry"));
    let configuration = &scene.regpass.status().await["configuration"];
    assert_eq!((&configuration["refused"], &configuration["replaced"]), (&Value::Null, &1.into()));
    assert!(!scene.page().await.contains("was refused"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_used_is_told_with_what_becomes_of_it() {
    let scene = Scene::new("", "").await;
    let reloads = &scene.regpass.proxy.reloads;
    let file = |kept| Unusable { key: "upload_key".into(), what: "/keys/<one> is empty".into(), kept };
    assert_eq!(reloads.unusable(vec![file(false)]), [file(false)]);
    let since = scene.regpass.status().await["configuration"]["troubles"][0]["since"].clone();
    advance(Duration::from_secs(10)).await;
    assert_eq!(reloads.unusable(vec![file(false)]), [], "no news");
    for (kept, words) in [(false, "nothing was ever read from it"), (true, "what was last read from it stays in force")]
    {
        reloads.unusable(vec![file(kept)]);
        let troubles = &scene.regpass.status().await["configuration"]["troubles"];
        let expected = json!({ "key": "upload_key", "message": "/keys/<one> is empty", "kept": kept });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&troubles[0][key], value);
        }
        assert_eq!(troubles[0]["since"] == since, !kept, "when it came to be so");
        let (status, text) = text(&scene.regpass.admin("/readyz").await);
        assert_eq!(status, 200);
        assert!(
            text.starts_with(&format!("ok\na file cannot be used; {words}:\n  upload_key: /keys/<one> is empty\n")),
            "{text}"
        );
        let page = scene.page().await;
        assert!(page.contains("A file of the configuration cannot be used") && page.contains(words), "{page}");
        assert!(page.contains("/keys/&lt;one&gt; is empty"), "{page}");
        assert_eq!(scene.regpass.metric("regpass_config_good"), ["regpass_config_good 0"]);
    }
    // What is wrong with a newer configuration is another matter.
    reloads.refused("1: no");
    reloads.unusable(Vec::new());
    assert_eq!(scene.regpass.metric("regpass_config_good"), ["regpass_config_good 0"]);
    reloads.replaced();
    assert_eq!(scene.regpass.metric("regpass_config_good"), ["regpass_config_good 1"]);
    assert!(!scene.page().await.contains("cannot be used"));
}
