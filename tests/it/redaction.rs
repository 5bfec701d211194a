//! Servers whose errors repeat a secret of the request: the error reaches the client, the secret does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Regpass, Reply, single_registry_config};
use crate::sim::{AuthMode, Blob, Fault, Hop, HopTarget, Image, ImageFormat, Preset, Registry, Reply as Answer, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const CREDENTIAL: &str = r#"credential = { source = "password", username = "alice", password = "wonderland" }"#;

async fn start(preset: Preset) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    registry.add_user("alice", "wonderland");
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, CREDENTIAL));
    (sim, registry, regpass)
}

/// An error that repeats the request's Authorization in every field, also where regpass truncates the text.
fn repeat_authorization(status: u16) -> Fault {
    Fault::alter(move |entry, _| {
        let sent = entry.headers.get("authorization").map_or("nothing", |value| value.to_str().unwrap());
        let long = format!("{}{sent}", "x ".repeat(110));
        Answer::new(status).json(serde_json::json!({
            "errors": [{ "code": "DENIED", "message": format!("'{sent}' will not do {long}"), "detail": { "sent": sent } }]
        }))
    })
    .when(|entry| entry.headers.contains_key("authorization"))
}

fn assert_redacted(reply: &Reply, secrets: &[&str]) {
    let text = String::from_utf8_lossy(&reply.body);
    assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    assert_eq!(reply.error().0, "DENIED", "the code is kept: {text}");
}

#[tokio::test(start_paused = true)]
async fn token_in_a_registry_error_is_redacted() {
    for status in [401, 403, 404] {
        let (_sim, registry, regpass) = start(Preset::generic()).await;
        registry.api().inject(repeat_authorization(status));
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, if status == 401 { 403 } else { status });
        assert_redacted(&reply, &["Bearer"]);
    }
}

#[tokio::test(start_paused = true)]
async fn basic_credential_in_a_registry_error_is_redacted() {
    let (_sim, registry, regpass) = start(Preset::distribution(AuthMode::Htpasswd)).await;
    registry.api().inject(repeat_authorization(403));
    assert_redacted(&regpass.get(APP).await, &["wonderland", &STANDARD.encode("alice:wonderland")]);
}

#[tokio::test(start_paused = true)]
async fn basic_credential_in_a_token_service_error_is_redacted() {
    let (_sim, registry, regpass) = start(Preset::generic()).await;
    registry.token_service().inject(repeat_authorization(403));
    registry.token_service().inject(Fault::text(403, "no").when(|entry| !entry.headers.contains_key("authorization")));
    assert_redacted(&regpass.get(APP).await, &["wonderland", &STANDARD.encode("alice:wonderland")]);
}

#[tokio::test(start_paused = true)]
async fn signature_in_a_blob_store_error_is_redacted() {
    let (_sim, registry, regpass) = start(Preset::generic().blob_hops(&[Hop::new(307, HopTarget::BlobStore)])).await;
    let blob = Blob::random(1, 100);
    registry.publish_blob("team/app", &blob);
    registry.blob_store().inject(Fault::alter(|entry, _| {
        let text =
            format!("<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{}</StringToSign></Error>", entry.query);
        Answer::new(403).xml(&text)
    }));
    let reply = regpass.get(&format!("/v2/team/app/blobs/{}", blob.digest)).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(!reply.error().1.contains("signature="), "{reply:?}");
}
