//! Clouds that fail: what was lent goes on, then the step is named.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{APP, AzureScene, HOUR, Scene, calls, complaint, variables};
use crate::harness::Regpass;
use crate::log::Log;
use crate::sim::{Azure, Fault, Reply, ServiceKey};

/// Pulls every minute until one fails; for how long they worked.
async fn until_it_fails(regpass: &Regpass) -> Duration {
    let begun = Instant::now();
    while regpass.get(APP).await.status == 200 {
        sleep(Duration::from_secs(60)).await;
        assert!(begun.elapsed() < 30 * HOUR, "it never fails");
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn while_google_is_down_pulls_go_on_to_the_end_of_what_was_lent() {
    let log = Log::listen();
    let scene = Scene::new().await;
    let regpass = scene.with_account();
    assert_eq!(regpass.get(APP).await.status, 200);
    scene.google.oauth2.inject(Fault::text(503, "the backend is away"));
    // The registry's own tokens last 12 hours: a login is wanted for each request all the same.
    let lasted = until_it_fails(&regpass).await;
    assert!(lasted + Duration::from_secs(90) > HOUR && lasted < HOUR + Duration::from_secs(60), "{lasted:?}");
    let message = complaint(&regpass).await;
    for part in ["signing in with a Google service account's key at oauth2.googleapis.com failed", "503", "away"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(log.count("WARN", "what it last lent stays in force"), 1, "{}", log.text());
    scene.google.oauth2.lift_faults();
    assert_eq!(regpass.get(APP).await.status, 200, "over at once");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn while_azure_is_down_pulls_go_on_to_the_end_of_what_was_lent() {
    for exchange_only in [false, true] {
        let scene = AzureScene::new().await;
        let regpass = scene.with_secret();
        assert_eq!(regpass.get(APP).await.status, 200);
        if exchange_only {
            scene.registry.registry().inject(Fault::text(500, "sorry").path("/oauth2/exchange"));
        } else {
            scene.directory.0.stop();
        }
        let lasted = until_it_fails(&regpass).await;
        assert!(
            lasted + Duration::from_secs(90) > 3 * HOUR && lasted < 3 * HOUR + Duration::from_secs(60),
            "{lasted:?}"
        );
        let message = complaint(&regpass).await;
        let parts = if exchange_only {
            ["exchanging the directory's token for the registry's at team.azurecr.io failed", "500"]
        } else {
            ["signing in to Azure's directory with a service principal's secret at login.test failed", "connections"]
        };
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_trouble_is_nobody_s_concern() {
    for status in [429, 500, 502, 503, 504] {
        let scene = Scene::new().await;
        scene.google.oauth2.inject(Fault::text(status, "busy").times(2));
        assert_eq!(scene.with_account().get(APP).await.status, 200, "{status}");
        assert_eq!(calls(&scene.sim, &["oauth2"]), [3]);
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_refused_once_for_a_while_and_told() {
    let scene = Scene::new().await;
    let regpass = scene.with_key(&scene.google.service_account(&ServiceKey::new("key-1")));
    for _ in 0..3 {
        let message = complaint(&regpass).await;
        assert!(message.contains("Invalid JWT Signature.") && message.contains("make a new key"), "{message}");
    }
    assert_eq!(calls(&scene.sim, &["oauth2"]), [1]);
    sleep(Duration::from_secs(6)).await;
    complaint(&regpass).await;
    assert_eq!(calls(&scene.sim, &["oauth2"]), [2]);
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_account_that_was_deleted_is_told() {
    let scene = Scene::new().await;
    scene.google.delete_account();
    let message = complaint(&scene.on_machine()).await;
    assert!(message.contains("metadata.google.internal failed: it answered 404"), "{message}");
    assert!(message.contains("give the machine or pod a service account"), "{message}");
    let message = complaint(&scene.with_account()).await;
    assert!(message.contains("account not found"), "{message}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_azure_has_against_a_login_is_told() {
    let scene = AzureScene::new().await;
    let _imds = scene.azure.imds(&scene.sim).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token").display().to_string();
    std::fs::write(&file, "assertion.of.pod-0").unwrap();
    let authority = scene.directory.0.origin();
    let around = |name, value| {
        let known = [("AZURE_AUTHORITY_HOST", &*authority), ("AZURE_CLIENT_ID", Azure::CLIENT)];
        let own = [(name, value), ("AZURE_TENANT_ID", Azure::TENANT), ("AZURE_CLIENT_SECRET", "wrong-secret")];
        // The first of a name counts.
        variables(&[&own[..], &known[..]].concat())
    };
    for (around, parts) in [
        (around("HOME", "/"), ["login.test failed", "AADSTS7000215", "make a new one"]),
        (around("AZURE_TENANT_ID", "acme.test"), ["login.test failed", "AADSTS90002", "look at AZURE_TENANT_ID"]),
        (around("AZURE_CLIENT_ID", "another"), ["login.test failed", "AADSTS700016", "AZURE_CLIENT_ID"]),
        (around("AZURE_FEDERATED_TOKEN_FILE", &file), ["workload identity", "AADSTS700024", "federated credential"]),
        (around("AZURE_FEDERATED_TOKEN_FILE", "/nowhere"), ["/nowhere", "does not exist", "create it"]),
        (variables(&[("AZURE_CLIENT_ID", "another")]), ["169.254.169.254 failed", "Identity not found", "assign"]),
    ] {
        let message = complaint(&Regpass::start_in(&scene.sim, &scene.config(), around)).await;
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?}: {message}");
        assert!(!message.contains("wrong-secret") && !message.contains("assertion.of"), "{message}");
    }
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn away_from_the_cloud_s_machines_it_is_told_what_to_do() {
    let scene = Scene::new().await;
    scene.google.metadata.stop();
    let message = complaint(&scene.on_machine()).await;
    assert!(message.contains("gcloud auth application-default login"), "{message}");
    let scene = AzureScene::new().await;
    let message = complaint(&Regpass::start_in(&scene.sim, &scene.config(), variables(&[]))).await;
    assert!(message.contains("169.254.169.254 failed") && message.contains("set AZURE_TENANT_ID"), "{message}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_rotated_away_is_told() {
    let scene = Scene::new().await;
    let file = scene.write("token", "subject.token.old");
    let regpass = scene.with_key(&scene.google.external_account(&json!({ "file": file }), false));
    let message = complaint(&regpass).await;
    assert!(message.contains("exchanging a token for Google's at sts.googleapis.com failed"), "{message}");
    assert!(message.contains("attribute condition") && !message.contains("subject.token"), "{message}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn malformed_answers_are_told_as_such() {
    for (answer, why) in [
        (Reply::new(200).text("<html>captive portal</html>"), "not a JSON object"),
        (Reply::new(200).json("[]"), "not a JSON object"),
        (Reply::new(200).json("{}"), "no 'access_token'"),
        (Reply::new(200).json(r#"{"access_token":"","expires_in":60}"#), "'access_token' is no token"),
        (Reply::new(200).json(r#"{"access_token":"a b","expires_in":60}"#), "'access_token' is no token"),
        (Reply::new(200).json(r#"{"access_token":"a","expires_in":0}"#), "'expires_in' is not a number"),
        (Reply::new(200).json(r#"{"access_token":"a"}"#), "'expires_in' is not a number"),
        (Reply::new(200).text(&"x".repeat(200_000)), "larger than"),
        (Reply::redirect(302, "http://elsewhere.test/token"), "it answered 302"),
    ] {
        let scene = Scene::new().await;
        let told = answer.clone();
        scene.google.oauth2.inject(Fault::alter(move |_, _| told.clone()));
        let message = complaint(&scene.with_account()).await;
        assert!(message.contains("oauth2.googleapis.com failed") && message.contains(why), "{why}: {message}");
        assert!(
            !scene.sim.network().dials().iter().any(|dial| dial.starts_with("elsewhere")),
            "redirects are not followed"
        );
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn useless_refresh_tokens_are_told_as_such() {
    for (answer, why) in [
        (r#"{"access_token":"a"}"#, "no 'refresh_token'"),
        (r#"{"refresh_token":"a b"}"#, "'refresh_token' is no token"),
        (r#"{"refresh_token":"e30.eyJleHAiOjEwMCwiaWF0IjoxMDB9.x"}"#, "over already"),
    ] {
        let scene = AzureScene::new().await;
        let fault = Fault::alter(move |_, _| Reply::new(200).json(answer)).path("/oauth2/exchange");
        scene.registry.registry().inject(fault);
        let message = complaint(&scene.with_secret()).await;
        assert!(message.contains("team.azurecr.io failed") && message.contains(why), "{why}: {message}");
        scene.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn key_files_that_cannot_be_used_are_told_without_their_words() {
    let scene = Scene::new().await;
    let mut no_key = scene.google.service_account(scene.google.key());
    no_key["private_key"] = "-----BEGIN PRIVATE KEY-----\nhunter2-and-more\n-----END PRIVATE KEY-----\n".into();
    let aws = json!({ "environment_id": "aws1", "url": "http://169.254.169.254/hunter2-and-more" });
    for (key, why) in [
        (json!("hunter2-and-more"), "not a JSON object"),
        (json!({ "type": "hunter2-and-more" }), "of no type that is known here"),
        (json!({ "type": "service_account", "client_email": "a@b" }), "has no 'private_key'"),
        (no_key, "no RSA key in its 'private_key'"),
        (json!({ "type": "authorized_user", "client_id": "hunter2-and-more" }), "has no 'client_secret'"),
        (scene.google.external_account(&aws, false), "'file' and 'url' are"),
        (scene.google.external_account(&json!({ "executable": {} }), false), "'file' and 'url' are"),
    ] {
        let message = complaint(&scene.with_key(&key)).await;
        assert!(message.contains("key.json") && message.contains(why), "{why}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
        std::fs::remove_file(scene.folder.path().join("key.json")).unwrap();
    }
    scene.sim.finish();
}
