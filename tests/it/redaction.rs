//! Servers whose errors repeat a secret of the request: the error reaches the client, the secret does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use http::Method;

use crate::harness::{Regpass, Reply, request, single_registry_config};
use crate::sim::{
    AuthMode, Blob, Entry, Fault, Hop, HopTarget, Image, ImageFormat, Preset, Registry, Reply as Answer, Sim,
};

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

/// A registry that repeats the token of each request in the headers of its successful responses, in several encodings.
fn repeat_token_in_headers() -> Fault {
    Fault::alter(|entry, reply| {
        let Some(token) = token_of(entry) else { return reply };
        reply
            .header("etag", format!("\"{token}\""))
            .header("warning", format!("299 - \"you sent {}\"", STANDARD.encode(format!("it's {token}"))))
            .header("oci-subject", &token)
            .header("docker-echo", hex(&token))
            .header("link", format!("</v2/team/app/tags/list?last={token}>; rel=\"next\""))
            .header("docker-kept", "harmless")
    })
}

fn token_of(entry: &Entry) -> Option<String> {
    let sent = entry.headers.get("authorization")?.to_str().unwrap();
    Some(sent.split_once(' ').unwrap().1.to_owned())
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[tokio::test(start_paused = true)]
async fn token_in_the_headers_of_a_success_is_dropped() {
    let (_sim, registry, regpass) = start(Preset::generic()).await;
    let blob = Blob::random(1, 100);
    registry.publish_blob("team/app", &blob);
    registry.api().inject(repeat_token_in_headers());
    for path in [APP, &format!("/v2/team/app/blobs/{}", blob.digest), "/v2/team/app/tags/list"] {
        for method in [Method::GET, Method::HEAD] {
            if method == Method::HEAD && path.ends_with("list") {
                continue;
            }
            let reply = regpass.send(request(method.clone(), path)).await;
            assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
            for name in ["etag", "warning", "oci-subject", "docker-echo", "link"] {
                assert_eq!(reply.header(name), None, "{method} {path}");
            }
            assert_eq!(reply.header("docker-kept"), Some("harmless"), "{method} {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn manifest_or_passed_redirect_that_repeats_the_token_is_502() {
    let (_sim, registry, regpass) = start(Preset::generic()).await;
    let fault = registry.api().inject(
        Fault::alter(|entry, reply| match token_of(entry) {
            Some(token) => {
                Answer::new(200).json(serde_json::json!({ "schemaVersion": 2, "annotations": { "you": token } }))
            }
            None => reply,
        })
        .path("/manifests/"),
    );
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("repeats the credential") && !reply.error().1.contains("eyJ"), "{reply:?}");
    fault.remove();
    assert_eq!(regpass.get(APP).await.status, 200);

    let (sim, registry, _) = start(Preset::generic()).await;
    let blob = Blob::random(1, 100);
    registry.publish_blob("team/app", &blob);
    let settings = format!("redirects = \"pass\"\n{CREDENTIAL}");
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &settings));
    let store = registry.blob_store().origin();
    registry.api().inject(
        Fault::alter(move |entry, reply| match token_of(entry) {
            Some(token) => Answer::new(307).header("location", format!("{store}/blob?token={token}")),
            None => reply,
        })
        .path("/blobs/"),
    );
    let reply = regpass.get(&format!("/v2/team/app/blobs/{}", blob.digest)).await;
    assert_eq!((reply.status_and_code().as_str(), reply.header("location")), ("502 UNAVAILABLE", None));
}
