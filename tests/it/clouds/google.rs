//! Google's sources of access tokens.

use std::fs;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::advance;

use super::{APP, Scene, registry, variables};
use crate::harness::{Regpass, only};
use crate::sim::{Google, Preset, Sim};

const TOKEN: &str = "token GET /v2/token?service=europe-docker.pkg.dev&scope=repository:acme/images/app:pull basic:oauth2accesstoken 200";

#[tokio::test(start_paused = true)]
async fn the_machine_s_account_pulls() {
    let scene = Scene::new().await;
    let regpass = scene.on_machine();
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.sim.ledger().expect(&[
        "registry GET /v2/acme/images/app/manifests/1 anonymous 401",
        "metadata GET /computeMetadata/v1/instance/service-accounts/default/token anonymous 200",
        TOKEN,
        "registry GET /v2/acme/images/app/manifests/1 bearer#1 200",
    ]);
    assert_eq!(regpass.get(APP).await.grant(), "cached");
    scene.sim.ledger().expect(&["registry GET /v2/acme/images/app/manifests/1 bearer#1 200"]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_service_account_s_key_pulls() {
    let scene = Scene::new().await;
    let regpass = scene.with_account();
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.sim.ledger().expect(&[
        "registry GET /v2/acme/images/app/manifests/1 anonymous 401",
        "oauth2 POST /token?grant_type=jwt-bearer anonymous 200",
        TOKEN,
        "registry GET /v2/acme/images/app/manifests/1 bearer#1 200",
    ]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_person_s_login_pulls() {
    let scene = Scene::new().await;
    let regpass = scene.with_key(&scene.google.authorized_user());
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.sim.ledger().expect(&[
        "registry GET /v2/acme/images/app/manifests/1 anonymous 401",
        "oauth2 POST /token?grant_type=refresh_token anonymous 200",
        TOKEN,
        "registry GET /v2/acme/images/app/manifests/1 bearer#1 200",
    ]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_workload_identity_pulls_from_every_kind_of_source() {
    const EXCHANGE: &str = "sts POST /v1/token?grant_type=token-exchange anonymous 200";
    const ACCOUNT: &str =
        "iam POST /v1/projects/-/serviceAccounts/robot@acme.iam.gserviceaccount.com:generateAccessToken bearer#1 200";
    for (format, as_what, impersonates) in
        [("text", "", false), ("text", "", true), ("json", "?as=json", false), ("json", "?as=json", true)]
    {
        for from_url in [false, true] {
            let scene = Scene::new().await;
            let plain = scene.write("token", "subject.token.1\n");
            let object = scene.write("token.json", r#"{"access_token":"subject.token.1"}"#);
            let url = format!("{}/token{as_what}", scene.google.subjects.origin());
            let file = if format == "json" { object } else { plain };
            let format = json!({ "type": format, "subject_token_field_name": "access_token" });
            let source = if from_url {
                json!({ "url": url, "headers": { "Metadata": "True" }, "format": format })
            } else {
                json!({ "file": file, "format": format })
            };
            let regpass = scene.with_key(&scene.google.external_account(&source, impersonates));
            assert_eq!(regpass.get(APP).await.status, 200, "{source}");
            let subject = format!("subjects GET /token{as_what} anonymous 200");
            let mut lines = vec!["registry GET /v2/acme/images/app/manifests/1 anonymous 401"];
            lines.extend(from_url.then_some(subject.as_str()));
            lines.push(EXCHANGE);
            lines.extend(impersonates.then_some(ACCOUNT));
            lines.extend([TOKEN, "registry GET /v2/acme/images/app/manifests/1 bearer#2 200"]);
            scene.sim.ledger().expect(&lines);
            scene.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_named_comes_before_what_is_found() {
    let scene = Scene::new().await;
    let account = scene.write("account.json", &scene.google.service_account(scene.google.key()).to_string());
    let person = scene.google.authorized_user().to_string();
    scene.write("application_default_credentials.json", &person);
    let home = scene.folder.path().display().to_string();
    let nowhere = scene.folder.path().join("nothing").display().to_string();
    let config = only(&scene.registry, "credential = { source = \"google\" }");
    for (around, asked) in [
        (vec![("GOOGLE_APPLICATION_CREDENTIALS", account.as_str()), ("CLOUDSDK_CONFIG", &home)], "oauth2 jwt-bearer"),
        (vec![("CLOUDSDK_CONFIG", &home)], "oauth2 refresh_token"),
        (vec![("CLOUDSDK_CONFIG", &nowhere), ("GCE_METADATA_HOST", "metadata.google.internal")], "metadata "),
    ] {
        let regpass = Regpass::start_in(&scene.sim, &config, variables(&around));
        assert_eq!(regpass.get(APP).await.status, 200, "{asked}");
        let entries = scene.sim.ledger().take();
        let cloud = entries.iter().find(|entry| !["registry", "token"].contains(&entry.server.as_str())).unwrap();
        let grant = cloud.query_value("grant_type").unwrap_or_default();
        assert_eq!(format!("{} {grant}", cloud.server), asked);
    }
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_names_nothing_is_not_passed_over() {
    let scene = Scene::new().await;
    let config = only(&scene.registry, "credential = { source = \"google\" }");
    let around = variables(&[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")]);
    let reply = Regpass::start_in(&scene.sim, &config, around).get(APP).await;
    assert_eq!(reply.verdict(), "502 UNAUTHORIZED");
    assert!(reply.error().1.contains("/nowhere/key.json does not exist"), "{reply:?}");
    assert_eq!(scene.sim.ledger().count("metadata", |_| true), 0);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_changed_key_file_is_in_force_at_once() {
    let scene = Scene::new().await;
    let regpass = scene.with_account();
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.sim.ledger().take();
    fs::write(scene.folder.path().join("key.json"), scene.google.authorized_user().to_string()).unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.grant(), "fetched");
    let entries = scene.sim.ledger().take();
    assert!(entries.iter().any(|entry| entry.query == "grant_type=refresh_token"), "{entries:?}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn many_cold_pulls_cost_one_call() {
    let scene = Scene::new().await;
    let regpass = scene.with_account();
    let all = join_all((0..100).map(|_| regpass.get(APP))).await;
    assert!(all.iter().all(|reply| reply.status == 200));
    assert_eq!(scene.sim.ledger().count("oauth2", |_| true), 1);
    assert_eq!(scene.sim.ledger().count("token", |_| true), 1);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_asked_for_anew() {
    let scene = Scene::new().await;
    let regpass = scene.with_account();
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.registry.users().call_in();
    scene.registry.revoke_tokens();
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(scene.sim.ledger().count("oauth2", |_| true), 2);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn nobody_else_s_registry_sees_the_token() {
    let sim = Sim::memory();
    sim.never_see("ya29.");
    let registry = registry(&sim, Preset::generic(), "generic.test").await;
    let google = Google::start(&sim, &registry).await;
    let config = only(&registry, "").replacen('\n', "\ncredential = { source = \"google\" }\n", 1);
    let regpass = Regpass::start(&sim, &config);
    assert_eq!(regpass.get(APP).await.verdict(), "403 DENIED");
    assert_eq!(sim.ledger().count("metadata", |_| true), 0, "{}", google.metadata.origin());
    assert!(sim.network().dials().iter().all(|dial| dial.contains("generic.test")), "{:?}", sim.network().dials());
    sim.finish();
}

#[tokio::test]
async fn over_real_sockets_the_metadata_server_is_reached_without_tls() {
    let sim = Sim::loopback();
    let registry = registry(&sim, Preset::google(), "pkg.test").await;
    let google = Google::start(&sim, &registry).await;
    let config = only(&registry, "profile = \"google\"\ncredential = { source = \"google\" }");
    let around = variables(&[("GCE_METADATA_HOST", google.metadata.authority())]);
    assert_eq!(Regpass::start_in(&sim, &config, around).get(APP).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_what_was_lent_is_told() {
    let scene = Scene::new().await;
    let regpass = scene.on_machine();
    let login = regpass.status().await["registries"][0]["credentials"][0].clone();
    let nothing = (&json!("google"), &json!(null), &json!(null));
    assert_eq!((&login["source"], &login["identity"], &login["expires_in_seconds"]), nothing, "nobody asked yet");
    assert_eq!(regpass.get(APP).await.status, 200);
    let login = regpass.status().await["registries"][0]["credentials"][0].clone();
    let left = login["expires_in_seconds"].as_f64().unwrap();
    assert!((3000.0..3600.0).contains(&left), "{login}");
    scene.sim.finish();
}
