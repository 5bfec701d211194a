//! Hosts that repeat what they were shown: the words of an error reach clients and logs, secrets in them do not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Regpass, Reply, only};
use crate::sim::{Blob, Family, Fault, Hop, Image, Mode, Place, Preset, Registry, Reply as Answer, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const LOGIN: &str = r#"credential = { source = "password", username = "alice", password = "wonderland" }"#;

async fn start(preset: Preset) -> (Sim, Registry, Regpass) {
    let sim = Sim::memory();
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", Family::Oci));
    registry.user("alice", "wonderland");
    let regpass = Regpass::start(&sim, &only(&registry, LOGIN));
    (sim, registry, regpass)
}

/// An error that repeats the request's authorization everywhere, cut or not.
fn repeats(status: u16) -> Fault {
    Fault::alter(move |entry, _| {
        let sent = entry.headers.get("authorization").map_or("nothing", |value| value.to_str().unwrap());
        let long = format!("{}{sent}", "x ".repeat(110));
        Answer::new(status).json(serde_json::json!({
            "errors": [{ "code": "DENIED", "message": format!("'{sent}' will not do {long}"), "detail": { "sent": sent } }]
        }))
    })
    .when(|entry| entry.headers.contains_key("authorization"))
}

fn assert_clean(reply: &Reply, secrets: &[&str]) {
    let text = String::from_utf8_lossy(&reply.body);
    assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    assert_eq!(reply.error().0, "DENIED", "the code tells no secret: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_repeats_its_token_is_not_quoted() {
    for status in [401, 403, 404] {
        let (_sim, registry, regpass) = start(Preset::generic()).await;
        registry.registry().inject(repeats(status));
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, if status == 401 { 403 } else { status });
        assert_clean(&reply, &["Bearer"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_repeats_its_login_is_not_quoted() {
    let (_sim, registry, regpass) = start(Preset::distribution(Mode::Htpasswd)).await;
    registry.registry().inject(repeats(403));
    assert_clean(&regpass.get(APP).await, &["wonderland", &STANDARD.encode("alice:wonderland")]);
}

#[tokio::test(start_paused = true)]
async fn a_token_service_that_repeats_its_login_is_not_quoted() {
    let (_sim, registry, regpass) = start(Preset::generic()).await;
    registry.token().inject(repeats(403));
    registry.token().inject(Fault::text(403, "no").when(|entry| !entry.headers.contains_key("authorization")));
    assert_clean(&regpass.get(APP).await, &["wonderland", &STANDARD.encode("alice:wonderland")]);
}

#[tokio::test(start_paused = true)]
async fn a_blob_store_that_explains_its_signature_is_not_quoted() {
    let (_sim, registry, regpass) = start(Preset::generic().blob_hops(&[Hop::new(307, Place::Blobs)])).await;
    let blob = Blob::random(1, 100);
    registry.publish_blob("team/app", &blob);
    registry.blobs().inject(Fault::alter(|entry, _| {
        let text =
            format!("<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{}</StringToSign></Error>", entry.query);
        Answer::new(403).xml(&text)
    }));
    let reply = regpass.get(&format!("/v2/team/app/blobs/{}", blob.digest)).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(!reply.error().1.contains("signature="), "{reply:?}");
}
