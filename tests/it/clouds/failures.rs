//! Failures of clouds: regpass uses an issued credential until it expires; then its error names the failing step.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{APP, AzureSetup, GoogleSetup, HOUR, environment, failed_pull_message, request_counts, write_token_file};
use crate::harness::Regpass;
use crate::log::Log;
use crate::sim::{Azure, Fault, Reply, ServiceKey};

/// Pulls every minute until a pull fails, and asserts that this takes `expected`: at most 90 seconds less,
/// and less than 60 seconds more.
async fn assert_pulls_succeed_for(expected: Duration, regpass: &Regpass) {
    let started = Instant::now();
    while regpass.get(APP).await.status == 200 {
        sleep(Duration::from_secs(60)).await;
        assert!(started.elapsed() < 30 * HOUR, "no pull failed in 30 hours");
    }
    let lasted = started.elapsed();
    assert!(
        lasted + Duration::from_secs(90) > expected && lasted < expected + Duration::from_secs(60),
        "pulls succeeded for {lasted:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn pulls_continue_until_the_token_expires_while_google_is_down() {
    let log = Log::capture();
    let setup = GoogleSetup::new().await;
    let regpass = setup.start_with_service_account();
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.google.oauth2.inject(Fault::text(503, "the backend is away"));
    // The registry's own tokens are valid for 12 hours, but each request needs a valid credential as well.
    assert_pulls_succeed_for(HOUR, &regpass).await;
    let message = failed_pull_message(&regpass).await;
    for part in [
        "requesting an access token with a Google service account's key at oauth2.googleapis.com failed",
        "503",
        "away",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(log.count("WARN", "the last one is used until it expires"), 1, "{}", log.text());
    setup.google.oauth2.clear_faults();
    assert_eq!(regpass.get(APP).await.status, 200, "the failure is not cached");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pulls_continue_until_the_credential_expires_while_azure_is_down() {
    for exchange_only in [false, true] {
        let setup = AzureSetup::new().await;
        let regpass = setup.start_with_secret();
        assert_eq!(regpass.get(APP).await.status, 200);
        if exchange_only {
            setup.registry.api().inject(Fault::text(500, "sorry").path("/oauth2/exchange"));
        } else {
            setup.directory.0.stop();
        }
        assert_pulls_succeed_for(3 * HOUR, &regpass).await;
        let message = failed_pull_message(&regpass).await;
        let parts = if exchange_only {
            [
                "exchanging the Microsoft Entra ID token for the registry's refresh token at team.azurecr.io failed",
                "500",
            ]
        } else {
            [
                "requesting a token from Microsoft Entra ID with a service principal's secret at login.test failed",
                "connection refused",
            ]
        };
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn short_outage_is_bridged_by_retries() {
    for status in [429, 500, 502, 503, 504] {
        let setup = GoogleSetup::new().await;
        setup.google.oauth2.inject(Fault::text(status, "busy").times(2));
        assert_eq!(setup.start_with_service_account().get(APP).await.status, 200, "{status}");
        assert_eq!(request_counts(&setup.sim, &["oauth2"]), [3]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_key_is_reported_and_retried_only_after_seconds() {
    let setup = GoogleSetup::new().await;
    let regpass = setup.start_with_key(&setup.google.service_account(&ServiceKey::new("key-1")));
    for _ in 0..3 {
        let message = failed_pull_message(&regpass).await;
        assert!(message.contains("Invalid JWT Signature.") && message.contains("make a new key"), "{message}");
    }
    assert_eq!(request_counts(&setup.sim, &["oauth2"]), [1]);
    sleep(Duration::from_secs(6)).await;
    failed_pull_message(&regpass).await;
    assert_eq!(request_counts(&setup.sim, &["oauth2"]), [2]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn deleted_google_account_is_reported_with_advice() {
    let setup = GoogleSetup::new().await;
    setup.google.delete_account();
    let message = failed_pull_message(&setup.start_without_key()).await;
    assert!(message.contains("metadata.google.internal failed: it answered 404"), "{message}");
    assert!(message.contains("give the machine or pod a service account"), "{message}");
    let message = failed_pull_message(&setup.start_with_service_account()).await;
    assert!(message.contains("account not found"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn azure_errors_are_reported_with_advice() {
    let setup = AzureSetup::new().await;
    let _imds = setup.azure.imds(&setup.sim).await;
    let (_folder, file) = write_token_file("assertion.of.pod-0");
    let file = file.display().to_string();
    let authority = setup.directory.0.origin();
    let with = |name, value| {
        let known = [("AZURE_AUTHORITY_HOST", &*authority), ("AZURE_CLIENT_ID", Azure::CLIENT)];
        let own = [(name, value), ("AZURE_TENANT_ID", Azure::TENANT), ("AZURE_CLIENT_SECRET", "wrong-secret")];
        // Of two variables with the same name the first is used.
        environment(&[&own[..], &known[..]].concat())
    };
    for (environment, parts) in [
        (with("HOME", "/"), ["login.test failed", "AADSTS7000215", "make a new one"]),
        (with("AZURE_TENANT_ID", "acme.test"), ["login.test failed", "AADSTS90002", "check AZURE_TENANT_ID"]),
        (with("AZURE_CLIENT_ID", "another"), ["login.test failed", "AADSTS700016", "AZURE_CLIENT_ID"]),
        (with("AZURE_FEDERATED_TOKEN_FILE", &file), ["workload identity", "AADSTS700024", "federated credential"]),
        (with("AZURE_FEDERATED_TOKEN_FILE", "/nowhere"), ["/nowhere", "does not exist", "create it"]),
        (environment(&[("AZURE_CLIENT_ID", "another")]), ["169.254.169.254 failed", "Identity not found", "assign"]),
    ] {
        let message = failed_pull_message(&setup.start(environment)).await;
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?}: {message}");
        assert!(!message.contains("wrong-secret") && !message.contains("assertion.of"), "{message}");
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn missing_metadata_server_is_reported_with_advice() {
    let setup = GoogleSetup::new().await;
    setup.google.metadata.stop();
    let message = failed_pull_message(&setup.start_without_key()).await;
    assert!(message.contains("gcloud auth application-default login"), "{message}");
    let setup = AzureSetup::new().await;
    let message = failed_pull_message(&setup.start(environment(&[]))).await;
    assert!(message.contains("169.254.169.254 failed") && message.contains("set AZURE_TENANT_ID"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn outdated_subject_token_is_reported_without_its_text() {
    let setup = GoogleSetup::new().await;
    let file = setup.write("token", "subject.token.old");
    let regpass = setup.start_with_key(&setup.google.external_account(&json!({ "file": file }), false));
    let message = failed_pull_message(&regpass).await;
    assert!(message.contains("exchanging a token for a Google access token at sts.googleapis.com failed"), "{message}");
    assert!(message.contains("attribute condition") && !message.contains("subject.token"), "{message}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn malformed_token_responses_are_reported() {
    for (response, why) in [
        (Reply::new(200).text("<html>captive portal</html>"), "not a JSON object"),
        (Reply::new(200).json("[]"), "not a JSON object"),
        (Reply::new(200).json("{}"), "no `access_token`"),
        (Reply::new(200).json(r#"{"access_token":"","expires_in":60}"#), "`access_token` is not a token"),
        (Reply::new(200).json(r#"{"access_token":"a b","expires_in":60}"#), "`access_token` is not a token"),
        (Reply::new(200).json(r#"{"access_token":"a","expires_in":0}"#), "`expires_in` is not a positive number"),
        (Reply::new(200).json(r#"{"access_token":"a"}"#), "`expires_in` is not a positive number"),
        (Reply::new(200).text(&"x".repeat(200_000)), "larger than"),
        (Reply::redirect(302, "http://elsewhere.test/token"), "it answered 302"),
    ] {
        let setup = GoogleSetup::new().await;
        setup.google.oauth2.inject(Fault::answer(response));
        let message = failed_pull_message(&setup.start_with_service_account()).await;
        assert!(message.contains("oauth2.googleapis.com failed") && message.contains(why), "{why}: {message}");
        assert!(
            !setup.sim.network().dials().iter().any(|dial| dial.starts_with("elsewhere")),
            "redirects are not followed"
        );
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_refresh_tokens_are_reported() {
    for (response, why) in [
        (r#"{"access_token":"a"}"#, "no `refresh_token`"),
        (r#"{"refresh_token":"a b"}"#, "`refresh_token` is not a token"),
        (r#"{"refresh_token":"e30.eyJleHAiOjEwMCwiaWF0IjoxMDB9.x"}"#, "already expired"),
    ] {
        let setup = AzureSetup::new().await;
        let fault = Fault::alter(move |_, _| Reply::new(200).json(response)).path("/oauth2/exchange");
        setup.registry.api().inject(fault);
        let message = failed_pull_message(&setup.start_with_secret()).await;
        assert!(message.contains("team.azurecr.io failed") && message.contains(why), "{why}: {message}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn unusable_key_files_are_reported_without_their_content() {
    let setup = GoogleSetup::new().await;
    let mut no_key = setup.google.service_account(setup.google.key());
    no_key["private_key"] = "-----BEGIN PRIVATE KEY-----\nhunter2-and-more\n-----END PRIVATE KEY-----\n".into();
    let aws = json!({ "environment_id": "aws1", "url": "http://169.254.169.254/hunter2-and-more" });
    for (key, why) in [
        (json!("hunter2-and-more"), "not a JSON object"),
        (json!({ "type": "hunter2-and-more" }), "has an unsupported `type`"),
        (json!({ "type": "service_account", "client_email": "a@b" }), "has no `private_key`"),
        (no_key, "has no RSA key in its `private_key`"),
        (json!({ "type": "authorized_user", "client_id": "hunter2-and-more" }), "has no `client_secret`"),
        (setup.google.external_account(&aws, false), "supports `file` and `url`"),
        (setup.google.external_account(&json!({ "executable": {} }), false), "supports `file` and `url`"),
    ] {
        let message = failed_pull_message(&setup.start_with_key(&key)).await;
        assert!(message.contains("key.json") && message.contains(why), "{why}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
        std::fs::remove_file(setup.folder.path().join("key.json")).unwrap();
    }
    setup.sim.finish();
}
