//! The simulated AWS accepts only requests with a valid signature that is at most fifteen minutes old.

use std::time::Duration;

use regpass::credential::environment::Environment;
use tokio::time::sleep;

use super::{exchange, head};
use crate::harness::{Regpass, Reply, registry_table};
use crate::sim::{Aws, Entry, Image, ImageFormat, Preset, Sim};

const HOST: &str = "123456789012.dkr.ecr.eu-west-2.amazonaws.com";
const API: &str = "api.ecr.eu-west-2.amazonaws.com";
const TOKEN: &str = "session+token==";

/// A running AWS, and a request by regpass that it has accepted.
async fn accepted_request() -> (Sim, Aws, Entry) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::ecr()).await;
    registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
    let aws = Aws::start(&sim).await;
    aws.grant_access_to(&registry);
    aws.add_session_key("ASIAIOSFODNN7EXAMPLE", "secret", TOKEN);
    let mut variables = aws.endpoint_variables();
    variables.push(("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE".to_owned()));
    variables.push(("AWS_SECRET_ACCESS_KEY", "secret".to_owned()));
    variables.push(("AWS_SESSION_TOKEN", TOKEN.to_owned()));
    let environment = Environment::new(variables);
    let text = registry_table(HOST, &registry, "credential = { source = \"ecr\" }");
    let regpass = Regpass::start_with_environment(&sim, &text, environment);
    assert_eq!(regpass.get(&format!("/v2/{HOST}/team/app/manifests/1")).await.status, 200);
    let entry = sim.ledger().take().into_iter().find(|entry| entry.server == "ecr-api").unwrap();
    (sim, aws, entry)
}

/// Sends the request again with this body and with one header changed, or removed if the value is empty.
async fn resend(sim: &Sim, entry: &Entry, change: Option<(&str, &str)>, body: &str) -> Reply {
    let mut headers = entry.headers.clone();
    for own in ["host", "user-agent", "content-length"] {
        headers.remove(own);
    }
    if let Some((name, value)) = change {
        headers.remove(name);
        if !value.is_empty() {
            headers.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
    }
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    let mut lines: Vec<String> = headers.iter().map(line).collect();
    lines.push(format!("content-length: {}", body.len()));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let request = format!("{}{body}", head("POST", API, "/", &lines));
    exchange(sim.network().connect(API, 80).unwrap(), request.as_bytes()).await.expect("the server replies")
}

/// The type and message of an error.
fn error_text(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{reply:?}");
    let json = reply.json();
    format!("{}: {}", json["__type"].as_str().unwrap(), json["message"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn request_that_differs_from_its_signature_is_rejected() {
    let (sim, _aws, entry) = accepted_request().await;
    assert_eq!(resend(&sim, &entry, None, "{}").await.status, 200, "an unchanged request is accepted");
    let line = entry.headers["authorization"].to_str().unwrap();
    let public = "SpencerFrontendService.GetAuthorizationToken";
    for (name, value, part) in [
        ("authorization", String::new(), "MissingAuthenticationTokenException"),
        (
            "authorization",
            line.replace("Signature=", "Signature=0"),
            "InvalidSignatureException: The request signature",
        ),
        ("authorization", line.replace("eu-west-2", "us-west-2"), "scoped to a valid region"),
        ("authorization", line.replace("/ecr/", "/ecr-public/"), "scoped to correct service: 'ecr'"),
        ("authorization", line.replace("host;", ""), "'host' must be a 'SignedHeader'"),
        ("authorization", line.replace(";x-amz-target", ""), "'x-amz-target' must be a 'SignedHeader'"),
        ("authorization", line.replace("ASIA", "AKIA"), "UnrecognizedClientException"),
        ("authorization", line.replace("AWS4-HMAC-SHA256", "AWS3"), "IncompleteSignatureException"),
        ("x-amz-security-token", "another".to_owned(), "UnrecognizedClientException"),
        ("x-amz-security-token", String::new(), "UnrecognizedClientException"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD".to_owned(), "x-amz-content-sha256"),
        ("x-amz-date", "20240130T045340Z".to_owned(), "InvalidSignatureException"),
        ("x-amz-target", String::new(), "UnknownOperationException"),
        ("x-amz-target", public.to_owned(), "UnknownOperationException"),
        ("content-type", "application/json".to_owned(), "UnknownOperationException"),
    ] {
        let message = error_text(&resend(&sim, &entry, Some((name, &value)), "{}").await);
        assert!(message.contains(part), "{name}: {value}: {message}");
    }
    let message = error_text(&resend(&sim, &entry, None, "{ }").await);
    assert!(message.contains("x-amz-content-sha256"), "another body: {message}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn signature_expires_after_fifteen_minutes() {
    let (sim, _aws, entry) = accepted_request().await;
    sleep(Duration::from_secs(14 * 60)).await;
    assert_eq!(resend(&sim, &entry, None, "{}").await.status, 200);
    sleep(Duration::from_secs(2 * 60)).await;
    let message = error_text(&resend(&sim, &entry, None, "{}").await);
    assert!(message.contains("Signature expired: 20240130T"), "{message}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn expired_key_is_rejected() {
    let (sim, aws, entry) = accepted_request().await;
    aws.expire_keys();
    assert!(error_text(&resend(&sim, &entry, None, "{}").await).contains("ExpiredTokenException"));
    sim.finish();
}
