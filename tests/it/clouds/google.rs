//! Google's sources of access tokens: metadata server, key files, workload identity.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tokio::time::advance;

use super::{
    APP, GoogleSetup, assert_revoked_credential_is_replaced, assert_simultaneous_pulls_succeed, environment,
    failed_pull_message, start_registry,
};
use crate::harness::{Regpass, single_registry_config};
use crate::sim::{Google, Preset, Sim};

const CONFIG: &str = "credential = { source = \"google\" }";
const TOKEN: &str = "token GET /v2/token?service=europe-docker.pkg.dev&scope=repository:acme/images/app:pull basic:oauth2accesstoken 200";

/// Asserts that a first pull costs these requests to Google between the challenge and the token request, and that a second
/// one uses the cached token.
async fn assert_cold_pull(setup: &GoogleSetup, regpass: &Regpass, google: &[&str]) {
    assert_eq!(regpass.get(APP).await.status, 200);
    let mut lines = vec!["registry GET /v2/acme/images/app/manifests/1 anonymous 401"];
    lines.extend(google);
    lines.extend([TOKEN, "registry GET /v2/acme/images/app/manifests/1 bearer#1 200"]);
    setup.sim.ledger().expect(&lines);
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached");
    setup.sim.ledger().expect(&["registry GET /v2/acme/images/app/manifests/1 bearer#1 200"]);
}

#[tokio::test(start_paused = true)]
async fn pull_without_a_key_uses_the_metadata_server() {
    let setup = GoogleSetup::new().await;
    let metadata = "metadata GET /computeMetadata/v1/instance/service-accounts/default/token anonymous 200";
    assert_cold_pull(&setup, &setup.start_without_key(), &[metadata]).await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn pull_with_a_service_account_or_user_key_uses_oauth2() {
    for grant in ["jwt-bearer", "refresh_token"] {
        let setup = GoogleSetup::new().await;
        let key = match grant {
            "jwt-bearer" => setup.google.service_account(setup.google.key()),
            _ => setup.google.authorized_user(),
        };
        let oauth2 = format!("oauth2 POST /token?grant_type={grant} anonymous 200");
        assert_cold_pull(&setup, &setup.start_with_key(&key), &[&oauth2]).await;
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn pull_with_a_workload_identity_works_for_every_subject_token_source() {
    const EXCHANGE: &str = "sts POST /v1/token?grant_type=token-exchange anonymous 200";
    const ACCOUNT: &str =
        "iam POST /v1/projects/-/serviceAccounts/robot@acme.iam.gserviceaccount.com:generateAccessToken bearer#1 200";
    for (format, query, impersonates) in
        [("text", "", false), ("text", "", true), ("json", "?as=json", false), ("json", "?as=json", true)]
    {
        for from_url in [false, true] {
            let setup = GoogleSetup::new().await;
            let plain = setup.write("token", "subject.token.1\n");
            let object = setup.write("token.json", r#"{"access_token":"subject.token.1"}"#);
            let url = format!("{}/token{query}", setup.google.subjects.origin());
            let file = if format == "json" { object } else { plain };
            let format = json!({ "type": format, "subject_token_field_name": "access_token" });
            let source = if from_url {
                json!({ "url": url, "headers": { "Metadata": "True" }, "format": format })
            } else {
                json!({ "file": file, "format": format })
            };
            let regpass = setup.start_with_key(&setup.google.external_account(&source, impersonates));
            assert_eq!(regpass.get(APP).await.status, 200, "{source}");
            let subject = format!("subjects GET /token{query} anonymous 200");
            let mut lines = vec!["registry GET /v2/acme/images/app/manifests/1 anonymous 401"];
            lines.extend(from_url.then_some(subject.as_str()));
            lines.push(EXCHANGE);
            lines.extend(impersonates.then_some(ACCOUNT));
            lines.extend([TOKEN, "registry GET /v2/acme/images/app/manifests/1 bearer#2 200"]);
            setup.sim.ledger().expect(&lines);
            setup.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn configured_key_file_precedes_gcloud_login_and_metadata_server() {
    let setup = GoogleSetup::new().await;
    let account = setup.write("account.json", &setup.google.service_account(setup.google.key()).to_string());
    let user = setup.google.authorized_user().to_string();
    setup.write("application_default_credentials.json", &user);
    let home = setup.folder.path().display().to_string();
    let nowhere = setup.folder.path().join("nothing").display().to_string();
    let config = single_registry_config(&setup.registry, CONFIG);
    for (variables, expected) in [
        (vec![("GOOGLE_APPLICATION_CREDENTIALS", account.as_str()), ("CLOUDSDK_CONFIG", &home)], "oauth2 jwt-bearer"),
        (vec![("CLOUDSDK_CONFIG", &home)], "oauth2 refresh_token"),
        (vec![("CLOUDSDK_CONFIG", &nowhere), ("GCE_METADATA_HOST", "metadata.google.internal")], "metadata "),
    ] {
        let regpass = Regpass::start_with_environment(&setup.sim, &config, environment(&variables));
        assert_eq!(regpass.get(APP).await.status, 200, "{expected}");
        let entries = setup.sim.ledger().take();
        let cloud = entries.iter().find(|entry| !["registry", "token"].contains(&entry.server.as_str())).unwrap();
        let grant = cloud.query_value("grant_type").unwrap_or_default();
        assert_eq!(format!("{} {grant}", cloud.server), expected);
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn key_file_variable_with_a_missing_file_is_an_error() {
    let setup = GoogleSetup::new().await;
    let config = single_registry_config(&setup.registry, CONFIG);
    let missing = environment(&[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")]);
    let message = failed_pull_message(&Regpass::start_with_environment(&setup.sim, &config, missing)).await;
    assert!(message.contains("/nowhere/key.json does not exist"), "{message}");
    assert_eq!(setup.sim.ledger().count("metadata", |_| true), 0);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn changed_key_file_is_used_within_seconds() {
    let setup = GoogleSetup::new().await;
    let regpass = setup.start_with_service_account();
    assert_eq!(regpass.get(APP).await.status, 200);
    setup.sim.ledger().take();
    fs::write(setup.folder.path().join("key.json"), setup.google.authorized_user().to_string()).unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.authorization_source(), "fetched");
    let entries = setup.sim.ledger().take();
    assert!(entries.iter().any(|entry| entry.query == "grant_type=refresh_token"), "{entries:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn simultaneous_cold_pulls_cost_one_oauth2_request() {
    let setup = GoogleSetup::new().await;
    assert_simultaneous_pulls_succeed(&setup.start_with_service_account()).await;
    assert_eq!(setup.sim.ledger().count("oauth2", |_| true), 1);
    assert_eq!(setup.sim.ledger().count("token", |_| true), 1);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn revoked_access_token_is_replaced() {
    let setup = GoogleSetup::new().await;
    assert_revoked_credential_is_replaced(&setup.registry, &setup.start_with_service_account()).await;
    assert_eq!(setup.sim.ledger().count("oauth2", |_| true), 2);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn google_credential_is_not_sent_to_other_registries() {
    let sim = Sim::memory();
    sim.forbid_secret("ya29.");
    let registry = start_registry(&sim, Preset::generic(), "generic.test").await;
    let google = Google::start(&sim, &registry).await;
    let config = single_registry_config(&registry, "").replacen('\n', "\ncredential = { source = \"google\" }\n", 1);
    let regpass = Regpass::start(&sim, &config);
    assert_eq!(regpass.get(APP).await.status_and_code(), "403 DENIED");
    assert_eq!(sim.ledger().count("metadata", |_| true), 0, "{}", google.metadata.origin());
    assert!(sim.network().dials().iter().all(|dial| dial.contains("generic.test")), "{:?}", sim.network().dials());
    sim.finish();
}

#[tokio::test]
async fn metadata_server_is_reached_without_tls_over_real_sockets() {
    let sim = Sim::loopback();
    let registry = start_registry(&sim, Preset::google(), "pkg.test").await;
    let google = Google::start(&sim, &registry).await;
    let config = single_registry_config(&registry, "profile = \"google\"\ncredential = { source = \"google\" }");
    let variables = environment(&[("GCE_METADATA_HOST", google.metadata.authority())]);
    assert_eq!(Regpass::start_with_environment(&sim, &config, variables).get(APP).await.status, 200);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn expiry_of_the_issued_token_is_reported() {
    let setup = GoogleSetup::new().await;
    let regpass = setup.start_without_key();
    let credential = regpass.status().await["registries"][0]["credentials"][0].clone();
    let unknown = (&json!("google"), &json!(null), &json!(null));
    let reported = (&credential["source"], &credential["identity"], &credential["expires_in_seconds"]);
    assert_eq!(reported, unknown, "no token has been requested");
    assert_eq!(regpass.get(APP).await.status, 200);
    let credential = regpass.status().await["registries"][0]["credentials"][0].clone();
    let expires_in = credential["expires_in_seconds"].as_f64().unwrap();
    assert!((3000.0..3600.0).contains(&expires_in), "{credential}");
    setup.sim.finish();
}
