//! What nobody gets to see: secrets in logs and errors, metadata services without need, anything without TLS.

use serde_json::json;

use super::{APP, AzureScene, Scene, complaint, registry, variables};
use crate::harness::{Regpass, only};
use crate::log::Log;
use crate::sim::{Azure, Fault, Preset, Reply, Rule, Server, Sim};

/// Everything goes wrong in the most talkative way; and then everything goes well.
#[tokio::test(start_paused = true)]
async fn no_secret_is_logged_or_told() {
    let log = Log::listen();
    let mut told = Vec::new();
    let scene = Scene::new().await;
    let chatty = |server: &Server, words: &str| {
        let body = json!({ "error": "invalid_grant", "error_description": format!("you sent {words}") });
        server.inject(Fault::alter(move |_, _| Reply::new(400).json(&body)));
    };
    let person = scene.google.authorized_user();
    let secret = person["refresh_token"].as_str().unwrap().to_owned();
    chatty(&scene.google.oauth2, &secret);
    told.push(complaint(&scene.with_key(&person)).await);
    chatty(&scene.google.sts, "subject.token.1");
    let file = scene.write("token", "subject.token.1");
    let federated = scene.google.external_account(&json!({ "file": file }), true);
    told.push(complaint(&scene.with_key(&federated)).await);
    scene.google.sts.lift_faults();
    scene.google.iam.inject(Fault::alter(|entry, _| {
        let sent = entry.headers["authorization"].to_str().unwrap().to_owned();
        Reply::new(403).json(json!({ "error": { "message": format!("'{sent}' may not") } }))
    }));
    told.push(complaint(&scene.with_key(&federated)).await);
    scene.google.oauth2.lift_faults();
    scene.google.iam.lift_faults();
    for regpass in [scene.on_machine(), scene.with_account(), scene.with_key(&person), scene.with_key(&federated)] {
        assert_eq!(regpass.get(APP).await.status, 200);
        told.extend(regpass.metric(""));
    }

    let azure = AzureScene::new().await;
    let app = azure.azure.app_service(&azure.sim).await;
    let endpoint = format!("{}/msi/token", app.0.origin());
    let around = variables(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", Azure::HEADER)]);
    chatty(&app.0, Azure::HEADER);
    told.push(complaint(&Regpass::start_in(&azure.sim, &azure.config(), around.clone())).await);
    chatty(&azure.directory.0, Azure::SECRET);
    told.push(complaint(&azure.with_secret()).await);
    app.0.lift_faults();
    azure.directory.0.lift_faults();
    for around in [around, azure.principal()] {
        let regpass = Regpass::start_in(&azure.sim, &azure.config(), around.clone());
        assert_eq!(regpass.get(APP).await.status, 200);
        told.push(format!("{around:?}"));
    }

    assert!(told[0].contains("it answered 400 Bad Request; log in again"), "{told:?}");
    let all = format!("{}\n{}", told.join("\n"), log.text());
    for secret in scene.google.secrets().into_iter().chain(Azure::secrets()) {
        let at = all.lines().find(|line| line.contains(&secret));
        assert!(at.is_none(), "{secret} in {at:?}");
    }
    scene.sim.finish();
    azure.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn metadata_services_are_reached_for_their_source_only() {
    let sim = Sim::memory();
    sim.allow(Rule::UnknownBearer);
    for (name, preset) in [("europe-docker.pkg.dev", Preset::google()), ("team.azurecr.io", Preset::acr())] {
        let registry = registry(&sim, preset.named(name), name).await;
        for login in ["", "credential = { source = \"docker\" }", "credential = { source = \"bearer\", token = \"x\" }"]
        {
            let regpass = Regpass::start(&sim, &only(&registry, login));
            assert_ne!(regpass.get(APP).await.status, 200);
        }
    }
    let dials = sim.network().dials();
    assert!(dials.iter().all(|dial| dial.contains(".pkg.dev") || dial.contains(".azurecr.io")), "{dials:?}");
    sim.finish();
}

/// The network decides, not the name: a key file that sends a secret over plain http to anywhere but this machine or its
/// link gets no connection.
#[tokio::test]
async fn without_tls_nothing_goes_to_the_internet() {
    let sim = Sim::loopback();
    let registry = sim.start(Preset::google()).await;
    let folder = tempfile::tempdir().unwrap();
    let key = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "token_uri": "http://203.0.113.7/token",
    });
    let file = folder.path().join("key.json");
    std::fs::write(&file, key.to_string()).unwrap();
    let login =
        format!("profile = \"google\"\ncredential = {{ source = \"google\", key_file = \"{}\" }}", file.display());
    let message = complaint(&Regpass::start(&sim, &only(&registry, &login))).await;
    assert!(message.contains("its address is public") && message.contains("without TLS"), "{message}");
    sim.finish();
}
