//! Error responses as registries were observed to send them, and what the client gets of each.
//!
//! - Rule 37: every error becomes a JSON error document with the registry's message: text, HTML, XML, other JSON, an empty
//!   body, and unknown codes. The status stays.

use http::Method;

use super::registry_at;
use crate::harness::{Reply as Answer, request};
use crate::registry_setup::{RegistrySetup, manifest_path};
use crate::sim::{AuthMode, Fault, GiteaChallenge, Preset, Reply};

/// Asserts an error in regpass's form, whose message contains `words`, and which has no header that makes a client log in.
#[track_caller]
fn assert_error_form(reply: &Answer, status_and_code: &str, words: &str, host: &str) {
    assert_eq!(reply.status_and_code(), status_and_code, "{host}: {reply:?}");
    let (_, message) = reply.error();
    assert!(message.contains(words), "{host}: `{words}` is missing in: {message}");
    let markup = ["</", "<?", "{\"", "\n", "\r"].iter().any(|mark| message.contains(mark));
    assert!(!markup, "{host}: {message:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{host}");
    for name in ["www-authenticate", "set-cookie", "location", "content-encoding"] {
        assert_eq!(reply.header(name), None, "{host}: {name}");
    }
    let detail = &reply.json()["errors"][0]["detail"];
    assert_eq!(detail["registry"], host, "{detail}");
}

/// Profile, preset, the registry's response, and what the client gets: status and code, and a part of the message.
type Case = (&'static str, Preset, Reply, &'static str, &'static str);

fn json(status: u16, text: &str) -> Reply {
    Reply::new(status).json(text)
}

fn xml(status: u16, code: &str, message: &str) -> Reply {
    let start = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
    Reply::new(status).xml(&format!("{start}<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn text_and_html() -> Vec<Case> {
    vec![
        // Plain text.
        ("ecr", Preset::ecr(), Reply::new(403).text("Not Authorized\n"), "403 DENIED", "Not Authorized"),
        (
            "kubernetes",
            Preset::kubernetes(),
            Reply::new(404).text("404 page not found\n"),
            "404 MANIFEST_UNKNOWN",
            "404 page not found",
        ),
        ("mcr", Preset::mcr(), Preset::mcr_throttled_in_text(), "429 TOOMANYREQUESTS", "Ref A: "),
        (
            "docker-hub",
            Preset::docker_hub(),
            Preset::docker_hub_rate_limited_in_text(),
            "429 TOOMANYREQUESTS",
            "Too Many Requests (HAP429)",
        ),
        // HTML.
        ("ngc", Preset::ngc(), Reply::nginx(403, "403 Forbidden"), "403 DENIED", "403 Forbidden"),
        ("quay", Preset::quay(), Preset::quay_throttled(), "429 TOOMANYREQUESTS", "429 Too Many Requests"),
        ("quay", Preset::quay(), Reply::nginx(503, "503 Service Unavailable"), "503 UNAVAILABLE", "503 Service"),
        ("ghcr", Preset::ghcr(), Reply::new(429).html("<h1>Too many</h1>"), "429 TOOMANYREQUESTS", "Too many"),
    ]
}

fn other_json_and_xml() -> Vec<Case> {
    vec![
        // JSON without `errors`.
        (
            "ghcr",
            Preset::ghcr(),
            json(403, r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#),
            "403 DENIED",
            "secondary rate limit",
        ),
        (
            "docker-hub",
            Preset::docker_hub(),
            Preset::docker_hub_rate_limited_in_message(),
            "429 TOOMANYREQUESTS",
            "toomanyrequests: You have reached your pull rate limit.",
        ),
        (
            "docker-hub",
            Preset::docker_hub(),
            json(400, r#"{"details":"unknown resource type"}"#),
            "400 UNKNOWN",
            "unknown resource type",
        ),
        // XML.
        (
            "mcr",
            Preset::mcr(),
            xml(404, "BlobNotFound", "The specified blob does not exist."),
            "404 MANIFEST_UNKNOWN",
            "The specified blob does not exist.",
        ),
        (
            "acr",
            Preset::acr(),
            xml(403, "AuthorizationFailure", "This request is not authorized"),
            "403 DENIED",
            "AuthorizationFailure",
        ),
        // An empty body.
        ("acr", Preset::acr(), Reply::new(400), "400 UNKNOWN", "400 Bad Request"),
        ("zot", Preset::zot(), Reply::new(404), "404 MANIFEST_UNKNOWN", "404 Not Found"),
    ]
}

fn error_documents() -> Vec<Case> {
    vec![
        // Error documents, some with codes that are not in the specification.
        (
            "docker-hub",
            Preset::docker_hub(),
            Preset::docker_hub_rate_limited(),
            "429 TOOMANYREQUESTS",
            "You have reached your pull rate limit.",
        ),
        ("acr", Preset::acr(), Preset::acr_throttled(), "429 TOOMANYREQUESTS", "Too many requests."),
        ("mcr", Preset::mcr(), Preset::mcr_throttled(), "429 TOOMANYREQUESTS", "Too many requests."),
        (
            "harbor",
            Preset::harbor(),
            Reply::error(404, "NOT_FOUND", "artifact test/alpine:x not found"),
            "404 MANIFEST_UNKNOWN",
            "artifact test/alpine:x not found",
        ),
        (
            "harbor",
            Preset::harbor(),
            Reply::error(412, "PROJECTPOLICYVIOLATION", "vulnerable"),
            "412 PROJECTPOLICYVIOLATION",
            "vulnerable",
        ),
        (
            "harbor",
            Preset::harbor(),
            Reply::error(429, "TOO_MANY_REQUEST", "upstream limit"),
            "429 TOO_MANY_REQUEST",
            "upstream limit",
        ),
        (
            "quay",
            Preset::quay(),
            Reply::error_detail(404, "TAG_EXPIRED", "Tag has expired", "{}"),
            "404 MANIFEST_UNKNOWN",
            "Tag has expired",
        ),
        (
            "quay",
            Preset::quay(),
            Reply::error_detail(405, "METHOD NOT ALLOWED", "no", "{}"),
            "405 METHOD NOT ALLOWED",
            "no",
        ),
        (
            "zot",
            Preset::zot(),
            Reply::error(400, "UNSUPPORTED", "The operation is unsupported."),
            "400 UNSUPPORTED",
            "unsupported",
        ),
        (
            "generic",
            Preset::generic(),
            json(404, r#"{"errors":[{"code":"404","message":"Not Found"}]}"#),
            "404 MANIFEST_UNKNOWN",
            "Not Found",
        ),
    ]
}

/// Errors of the registry API, in every observed form.
#[tokio::test(start_paused = true)]
async fn rule_37_every_form_of_error_becomes_an_error_document() {
    let rows = text_and_html().into_iter().chain(other_json_and_xml()).chain(error_documents());
    for (profile, preset, reply, status_and_code, words) in rows {
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        // For all requests, because regpass retries some of these responses.
        setup.registry.api().inject(Fault::answer(reply));
        let target = setup.private_manifest();
        assert_error_form(&setup.get(&target).await, status_and_code, words, &host);
        let head = setup.send(Method::HEAD, &target).await;
        assert_eq!((head.status.as_str(), head.body.len()), (&status_and_code[..3], 0), "{host}: HEAD");
        setup.sim.finish();
    }
}

/// Errors of blob stores.
#[tokio::test(start_paused = true)]
async fn rule_37_errors_of_blob_stores_become_error_documents() {
    for (host, status, code, status_and_code) in [
        ("ecr", 404, "NoSuchKey", "404 BLOB_UNKNOWN"),
        ("acr", 409, "AccountIsDisabled", "409 UNKNOWN"),
        ("mcr", 404, "BlobNotFound", "404 BLOB_UNKNOWN"),
        ("quay", 500, "InternalError", "500 UNAVAILABLE"),
        ("hub", 416, "InvalidRange", "416 RANGE_INVALID"),
    ] {
        let (profile, preset) = registry_at(host);
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.registry.blob_store().inject(Fault::xml(status, code));
        assert_error_form(&setup.get(&setup.private_layer()).await, status_and_code, code, &host);
        setup.sim.finish();
    }
}

/// Errors that the simulated registries cause by themselves.
#[tokio::test(start_paused = true)]
async fn rule_37_rejections_of_registries_become_error_documents() {
    let missing = "/v2/acme/public/manifests/none";
    for (profile, preset, method, target, status_and_code, words) in vec![
        (
            "docker-hub",
            Preset::docker_hub(),
            Method::GET,
            "/v2/library/none/manifests/1",
            "403 DENIED",
            "authentication required",
        ),
        (
            "ghcr",
            Preset::ghcr(),
            Method::GET,
            "/v2/somebody/else/manifests/1",
            "403 DENIED",
            "requested access to the resource is denied",
        ),
        (
            "ghcr",
            Preset::ghcr(),
            Method::DELETE,
            "/v2/toddysm/private/manifests/1",
            "405 UNSUPPORTED",
            "You cannot delete the last tagged version of a package",
        ),
        ("ecr-public", Preset::ecr_public(), Method::GET, "/v2/_catalog", "405 UNSUPPORTED", "gallery"),
        (
            "google",
            Preset::google(),
            Method::GET,
            "/v2/image/manifests/1",
            "400 NAME_INVALID",
            "invalid number of path components: 1",
        ),
        ("artifactory", Preset::artifactory(), Method::GET, missing, "403 DENIED", "does not have permission"),
        (
            "harbor",
            Preset::harbor(),
            Method::GET,
            missing,
            "404 MANIFEST_UNKNOWN",
            "artifact acme/public:none not found",
        ),
        ("zot", Preset::zot(), Method::GET, missing, "404 MANIFEST_UNKNOWN", "manifest"),
        (
            "quay",
            Preset::quay(),
            Method::DELETE,
            "/v2/acme/private/blobs/sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "405 UNSUPPORTED",
            "unsupported",
        ),
        ("gitea", Preset::gitea(GiteaChallenge::Bearer), Method::GET, missing, "404 MANIFEST_UNKNOWN", "manifest"),
        (
            "distribution",
            Preset::distribution(AuthMode::Token),
            Method::GET,
            missing,
            "404 MANIFEST_UNKNOWN",
            "manifest",
        ),
        (
            "kubernetes",
            Preset::kubernetes(),
            Method::POST,
            "/v2/pause/blobs/uploads/",
            "405 UNSUPPORTED",
            "kubernetes/k8s.io",
        ),
        (
            "mcr",
            Preset::mcr(),
            Method::GET,
            "/v2/dotnet/none/tags/list",
            "404 NAME_UNKNOWN",
            "The specified blob does not exist.",
        ),
    ] {
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        assert_error_form(&setup.regpass.send(request(method, target)).await, status_and_code, words, &host);
        setup.sim.finish();
    }
}

/// Errors of token services: regpass chooses the status, the message is the token service's.
#[tokio::test(start_paused = true)]
async fn rule_37_errors_of_token_services_become_error_documents() {
    for (profile, preset, reply, status_and_code, words) in vec![
        (
            "harbor",
            Preset::harbor(),
            Reply::new(400).text("Unable to handle service: x"),
            "403 DENIED",
            "Unable to handle service: x",
        ),
        (
            "docker-hub",
            Preset::docker_hub(),
            Reply::new(400).json(r#"{"details":"unknown resource type"}"#),
            "403 DENIED",
            "unknown resource type",
        ),
        ("acr", Preset::acr(), Reply::new(400), "403 DENIED", "400 Bad Request"),
        ("acr", Preset::acr(), Preset::acr_throttled(), "429 TOOMANYREQUESTS", "Too many requests."),
        (
            "ghcr",
            Preset::ghcr(),
            Reply::error(403, "DENIED", "requested access to the resource is denied"),
            "403 DENIED",
            "requested access",
        ),
        (
            "ngc",
            Preset::ngc(),
            Reply::nginx(401, "401 Authorization Required"),
            "403 DENIED",
            "401 Authorization Required",
        ),
        (
            "quay",
            Preset::quay(),
            Reply::error_detail(400, "INVALID_REQUEST", "Unable to decode repository and actions", "{}"),
            "403 DENIED",
            "Unable to decode",
        ),
        ("gitlab", Preset::gitlab(), Reply::error(403, "DENIED", "access forbidden"), "403 DENIED", "access forbidden"),
        (
            "google",
            Preset::google(),
            Reply::new(404).text("404 page not found\n"),
            "502 UNAVAILABLE",
            "404 page not found",
        ),
    ] {
        let (host, path) = (preset.host.clone(), preset.tokens.path.clone());
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.registry.token_service().inject(Fault::answer(reply).path(&path));
        assert_error_form(&setup.get(&manifest_path(setup.private_repository())).await, status_and_code, words, &host);
        setup.sim.finish();
    }
}
