//! Secrets of clouds appear in no log and no error, and are sent neither to other hosts nor over the internet without TLS.

use serde_json::json;

use super::{APP, AzureSetup, GoogleSetup, environment, failed_pull_message, start_registry};
use crate::harness::{Regpass, single_registry_config};
use crate::log::Log;
use crate::sim::{Azure, Fault, Preset, Reply, Rule, Server, Sim};

/// Every endpoint first fails with a message that repeats the secret it received, then succeeds.
#[tokio::test(start_paused = true)]
async fn secrets_are_neither_logged_nor_sent_to_clients() {
    let log = Log::capture();
    let mut outputs = Vec::new();
    let google = GoogleSetup::new().await;
    let echo_in_error = |server: &Server, secret: &str| {
        let body = json!({ "error": "invalid_grant", "error_description": format!("you sent {secret}") });
        server.inject(Fault::alter(move |_, _| Reply::new(400).json(&body)));
    };
    let user = google.google.authorized_user();
    let secret = user["refresh_token"].as_str().unwrap().to_owned();
    echo_in_error(&google.google.oauth2, &secret);
    outputs.push(failed_pull_message(&google.start_with_key(&user)).await);
    echo_in_error(&google.google.sts, "subject.token.1");
    let file = google.write("token", "subject.token.1");
    let federated = google.google.external_account(&json!({ "file": file }), true);
    outputs.push(failed_pull_message(&google.start_with_key(&federated)).await);
    google.google.sts.clear_faults();
    google.google.iam.inject(Fault::alter(|entry, _| {
        let sent = entry.headers["authorization"].to_str().unwrap().to_owned();
        Reply::new(403).json(json!({ "error": { "message": format!("'{sent}' may not") } }))
    }));
    outputs.push(failed_pull_message(&google.start_with_key(&federated)).await);
    google.google.oauth2.clear_faults();
    google.google.iam.clear_faults();
    for regpass in [
        google.start_without_key(),
        google.start_with_service_account(),
        google.start_with_key(&user),
        google.start_with_key(&federated),
    ] {
        assert_eq!(regpass.get(APP).await.status, 200);
        outputs.extend(regpass.metric(""));
    }

    let azure = AzureSetup::new().await;
    let app = azure.azure.app_service(&azure.sim).await;
    let endpoint = format!("{}/msi/token", app.0.origin());
    let app_service = environment(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", Azure::HEADER)]);
    echo_in_error(&app.0, Azure::HEADER);
    outputs.push(failed_pull_message(&azure.start(app_service.clone())).await);
    echo_in_error(&azure.directory.0, Azure::SECRET);
    outputs.push(failed_pull_message(&azure.start_with_secret()).await);
    app.0.clear_faults();
    azure.directory.0.clear_faults();
    for environment in [app_service, azure.service_principal()] {
        assert_eq!(azure.start(environment.clone()).get(APP).await.status, 200);
        outputs.push(format!("{environment:?}"));
    }

    assert!(outputs[0].contains("it answered 400 Bad Request; log in again"), "{outputs:?}");
    let all = format!("{}\n{}", outputs.join("\n"), log.text());
    for secret in google.google.secrets().into_iter().chain(Azure::secrets()) {
        let line = all.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{secret} in {line:?}");
    }
    google.sim.finish();
    azure.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn metadata_servers_are_not_dialled_for_other_credential_sources() {
    let sim = Sim::memory();
    sim.allow(Rule::UnknownBearer);
    for (name, preset) in [("europe-docker.pkg.dev", Preset::google()), ("team.azurecr.io", Preset::acr())] {
        let registry = start_registry(&sim, preset.named(name), name).await;
        for credential in
            ["", "credential = { source = \"docker\" }", "credential = { source = \"bearer\", token = \"x\" }"]
        {
            let regpass = Regpass::start(&sim, &single_registry_config(&registry, credential));
            assert_ne!(regpass.get(APP).await.status, 200);
        }
    }
    let dials = sim.network().dials();
    assert!(dials.iter().all(|dial| dial.contains(".pkg.dev") || dial.contains(".azurecr.io")), "{dials:?}");
    sim.finish();
}

/// A key file may name any endpoint. Without TLS regpass connects only to loopback and link-local addresses.
#[tokio::test]
async fn token_endpoint_without_tls_at_a_public_address_is_rejected() {
    let sim = Sim::loopback();
    let registry = sim.start(Preset::google()).await;
    let folder = tempfile::tempdir().unwrap();
    let key = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "token_uri": "http://203.0.113.7/token",
    });
    let file = folder.path().join("key.json");
    std::fs::write(&file, key.to_string()).unwrap();
    let credential =
        format!("profile = \"google\"\ncredential = {{ source = \"google\", key_file = \"{}\" }}", file.display());
    let message = failed_pull_message(&Regpass::start(&sim, &single_registry_config(&registry, &credential))).await;
    assert!(message.contains("its address is public") && message.contains("without TLS"), "{message}");
    sim.finish();
}
