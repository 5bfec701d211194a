//! `/livez` and `/readyz`: their status depends only on whether the process starts, serves or drains. Problems of registries,
//! files and the configuration are reported, but do not make regpass unready.

use std::time::Duration;

use http::Method;
use regpass::observe::reloads::UnusableFile;
use serde_json::{Value, json};
use tokio::time::advance;

use super::{APP, TwoRegistries};
use crate::harness::{Regpass, Reply, request, with_header};
use crate::sim::{Fault, Sim};

fn status_and_text(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn regpass_is_live_at_once_and_ready_from_listening_until_draining() {
    let regpass = Regpass::start(&Sim::memory(), "");
    assert_eq!(status_and_text(&regpass.get_admin("/livez").await), (200, "ok\n".into()));
    let starting = status_and_text(&regpass.get_admin("/readyz").await);
    assert!(starting.0 == 503 && starting.1.starts_with("starting\n"), "{starting:?}");
    assert_eq!(regpass.status().await["stage"], "starting");

    regpass.report_listening();
    let serving = status_and_text(&regpass.get_admin("/readyz").await);
    assert_eq!(serving, (200, "ok\nregistry docker.io: unused\n".into()));

    regpass.proxy.drain();
    let draining = status_and_text(&regpass.get_admin("/readyz").await);
    assert!(draining.0 == 503 && draining.1.starts_with("draining\n"), "{draining:?}");
    assert_eq!(
        status_and_text(&regpass.get_admin("/livez").await),
        (200, "ok\n".into()),
        "a draining process must not be killed"
    );
    assert_eq!(regpass.status().await["stage"], "draining");
    let page = regpass.get_admin("/").await;
    assert!(String::from_utf8_lossy(&page.body).contains("Stopping: waiting for open requests"));
}

#[tokio::test(start_paused = true)]
async fn failing_registry_is_reported_without_making_regpass_unready() {
    let setup = TwoRegistries::start("", "").await;
    setup.pull().await;
    setup.corp.api().inject(Fault::close_on_accept());
    let corp = "/v2/corp.example:5000/team/app/manifests/1";
    assert_eq!(setup.regpass.get(corp).await.status, 502);
    let (status, text) = status_and_text(&setup.regpass.get_admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(text.starts_with("ok\n") && text.contains("registry docker.io: healthy\n"), "{text}");
    assert!(text.contains("registry corp.example:5000: failing\n"), "{text}");
    assert!(text.contains("the connection closed before a response arrived"), "{text}");

    let detail =
        setup.regpass.send_to_admin(with_header(request(Method::GET, "/readyz"), "accept", "application/json")).await;
    assert_eq!(detail.header("content-type"), Some("application/json"));
    let detail = detail.json();
    assert_eq!((&detail["ready"], &detail["stage"]), (&Value::from(true), &Value::from("serving")));
    let corp_detail = &detail["registries"][1];
    assert_eq!((&corp_detail["host"], &corp_detail["state"]), (&"corp.example:5000".into(), &"failing".into()));
    assert_eq!(corp_detail["troubles"].as_array().unwrap().len(), 1);

    setup.corp.api().clear_faults();
    assert_eq!(setup.regpass.get(corp).await.status, 200);
    let (_, text) = status_and_text(&setup.regpass.get_admin("/readyz").await);
    assert!(text.contains("registry corp.example:5000: healthy\n"), "the registry has recovered: {text}");
}

#[tokio::test(start_paused = true)]
async fn open_circuit_is_reported_with_the_time_of_the_next_attempt() {
    let sim = Sim::memory();
    let regpass = Regpass::start(&sim, "[registry.\"gone.test\"]\nurl = \"http://gone.test\"\n");
    regpass.report_listening();
    for _ in 0..3 {
        assert_eq!(regpass.get("/v2/gone.test/a/b/manifests/1").await.status, 502);
    }
    let (status, text) = status_and_text(&regpass.get_admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(text.contains("registry gone.test: down\n  http://gone.test does not answer: "), "{text}");
    assert!(text.contains("(3 failures in a row; next attempt in 1 s)"), "{text}");
    let (_, page) = status_and_text(&regpass.get_admin("/").await);
    assert!(
        page.contains("gone.test does not answer") && page.contains("data-mood=\"down\""),
        "the headline reports the registry as down"
    );
}

#[tokio::test(start_paused = true)]
async fn rejected_and_unreadable_credentials_are_reported() {
    let rejected = "credential = { source = \"password\", username = \"alice\", password = \"of-last-year\" }";
    let missing = "credential = { source = \"docker\", file = \"/nowhere/config.json\" }";
    let setup = TwoRegistries::start(rejected, missing).await;
    setup.pull().await;
    assert_eq!(setup.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    let (status, text) = status_and_text(&setup.regpass.get_admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(
        text.contains("registry docker.io: degraded\n  the registry rejects the credential from password in"),
        "{text}"
    );
    assert!(
        text.contains("registry corp.example:5000: degraded\n  cannot read the credential from 'docker'"),
        "{text}"
    );
    assert!(text.contains("/nowhere/config.json does not exist"), "{text}");
    assert!(!text.contains("of-last-year"));

    let hub = &setup.registry("docker.io").await;
    assert_eq!((&hub["credentials"][0]["refused"], &hub["state"]), (&true.into(), &"degraded".into()));
    let corp = &setup.registry("corp.example:5000").await["credentials"][0];
    assert_eq!((&corp["source"], &corp["identity"]), (&"docker".into(), &Value::Null));
    assert!(corp["problem"].as_str().unwrap().contains("/nowhere/config.json"));
}

#[tokio::test(start_paused = true)]
async fn denial_of_one_repository_leaves_the_registry_healthy() {
    let setup = TwoRegistries::start("", "").await;
    setup.pull().await;
    assert_eq!(setup.regpass.get("/v2/docker.io/nobody/secret/manifests/1").await.status_and_code(), "403 DENIED");
    let hub = setup.registry("docker.io").await;
    assert_eq!((&hub["state"], &hub["failed"]), (&"healthy".into(), &1.into()));
    assert_eq!(hub["last_failure"]["blame"], "credential", "the denial is reported");
    assert_eq!(setup.regpass.get(&APP.replace("/1", "/2")).await.status, 404);
    assert_eq!(setup.registry("docker.io").await["state"], "healthy");
}

#[tokio::test(start_paused = true)]
async fn rejected_configuration_is_reported_without_making_regpass_unready() {
    let setup = TwoRegistries::start("", "").await;
    setup.regpass.proxy.reloads.note_rejected("/etc/regpass/config.toml:3: 'alow' is no key");
    let (status, text) = status_and_text(&setup.regpass.get_admin("/readyz").await);
    assert_eq!(status, 200);
    assert!(text.starts_with("ok\nconfiguration rejected"), "{text}");
    assert!(text.contains("  /etc/regpass/config.toml:3: 'alow' is no key\n"), "{text}");
    let status = setup.regpass.status().await;
    let problems = &status["configuration"]["refused"]["problems"];
    assert_eq!(problems, "/etc/regpass/config.toml:3: 'alow' is no key");
    let page = setup.page().await;
    assert!(
        page.contains("The new configuration was rejected") && page.contains("config.toml:3: 'alow' is no key"),
        "{page}"
    );

    setup.regpass.proxy.reloads.note_replaced();
    assert!(status_and_text(&setup.regpass.get_admin("/readyz").await).1.starts_with("ok\nregistry"));
    let configuration = &setup.regpass.status().await["configuration"];
    assert_eq!((&configuration["refused"], &configuration["replaced"]), (&Value::Null, &1.into()));
    assert!(!setup.page().await.contains("was rejected"));
}

#[tokio::test(start_paused = true)]
async fn unusable_file_is_reported_with_the_content_in_use() {
    let setup = TwoRegistries::start("", "").await;
    let reloads = &setup.regpass.proxy.reloads;
    let file = |has_last_good| UnusableFile {
        key: "upload_key".into(),
        message: "/keys/<one> is empty".into(),
        has_last_good,
    };
    assert_eq!(reloads.set_unusable_files(vec![file(false)]), [file(false)]);
    let since = setup.regpass.status().await["configuration"]["troubles"][0]["since"].clone();
    advance(Duration::from_secs(10)).await;
    assert_eq!(reloads.set_unusable_files(vec![file(false)]), [], "only new problems are returned");
    for (has_last_good, state) in
        [(false, "it has never been read successfully"), (true, "its last valid content stays in use")]
    {
        reloads.set_unusable_files(vec![file(has_last_good)]);
        let troubles = &setup.regpass.status().await["configuration"]["troubles"];
        let expected = json!({ "key": "upload_key", "message": "/keys/<one> is empty", "kept": has_last_good });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&troubles[0][key], value);
        }
        assert_eq!(troubles[0]["since"] == since, !has_last_good, "`since` changes with the state");
        let (status, text) = status_and_text(&setup.regpass.get_admin("/readyz").await);
        assert_eq!(status, 200);
        assert!(
            text.starts_with(&format!("ok\na file cannot be used; {state}:\n  upload_key: /keys/<one> is empty\n")),
            "{text}"
        );
        let page = setup.page().await;
        assert!(page.contains("A configured file cannot be used") && page.contains(state), "{page}");
        assert!(page.contains("/keys/&lt;one&gt; is empty"), "{page}");
        assert_eq!(setup.regpass.metric("regpass_config_good"), ["regpass_config_good 0"]);
    }
    // A rejected configuration keeps the metric at 0, even when no file is unusable any more.
    reloads.note_rejected("1: no");
    reloads.set_unusable_files(Vec::new());
    assert_eq!(setup.regpass.metric("regpass_config_good"), ["regpass_config_good 0"]);
    reloads.note_replaced();
    assert_eq!(setup.regpass.metric("regpass_config_good"), ["regpass_config_good 1"]);
    assert!(!setup.page().await.contains("cannot be used"));
}
