//! Rule 37: the literal replies of registries.md, section 22, and what a client gets of each.

use http::Method;

use super::{World, at, manifest};
use crate::harness::{Reply as Answer, request};
use crate::sim::{Fault, Mode, Offers, Preset, Reply};

/// One shape, whatever came: nothing of it can start a login, and somebody can act on what it says.
#[track_caller]
fn assert_shape(reply: &Answer, verdict: &str, words: &str, host: &str) {
    assert_eq!(reply.verdict(), verdict, "{host}: {reply:?}");
    let (_, message) = reply.error();
    assert!(message.contains(words), "{host}: '{words}' is missing in: {message}");
    let markup = ["</", "<?", "{\"", "\n", "\r"].iter().any(|mark| message.contains(mark));
    assert!(!markup, "{host}: {message:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{host}");
    for name in ["www-authenticate", "set-cookie", "location", "content-encoding"] {
        assert_eq!(reply.header(name), None, "{host}: {name}");
    }
    let detail = &reply.json()["errors"][0]["detail"];
    assert_eq!(detail["registry"], host, "{detail}");
}

/// Profile, preset, what the registry answers, and what the client gets of it: status and code, and words.
type Row = (&'static str, Preset, Reply, &'static str, &'static str);

fn json(status: u16, text: &str) -> Reply {
    Reply::new(status).json(text)
}

fn xml(status: u16, code: &str, message: &str) -> Reply {
    let start = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
    Reply::new(status).xml(&format!("{start}<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn texts_and_pages() -> Vec<Row> {
    vec![
        // Text.
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

fn other_documents() -> Vec<Row> {
    vec![
        // Bare members.
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
        // Nothing.
        ("acr", Preset::acr(), Reply::new(400), "400 UNKNOWN", "400 Bad Request"),
        ("zot", Preset::zot(), Reply::new(404), "404 MANIFEST_UNKNOWN", "404 Not Found"),
    ]
}

fn envelopes() -> Vec<Row> {
    vec![
        // Envelopes, with codes that the specification does not know.
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

/// What registries answer to a request that they understood, in every form that was seen.
#[tokio::test(start_paused = true)]
async fn rule_37_every_form_of_error_becomes_one() {
    let rows = texts_and_pages().into_iter().chain(other_documents()).chain(envelopes());
    for (profile, preset, reply, verdict, words) in rows {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.warm().await;
        // For as long as whoever is busy is asked again.
        world.registry.registry().inject(Fault::answer(reply));
        let target = world.private();
        assert_shape(&world.get(&target).await, verdict, words, &host);
        let head = world.method(Method::HEAD, &target).await;
        assert_eq!((head.status.as_str(), head.body.len()), (&verdict[..3], 0), "{host}: HEAD has the status");
        world.sim.finish();
    }
}

/// What blob stores answer, in the same shape.
#[tokio::test(start_paused = true)]
async fn rule_37_errors_of_blob_stores_too() {
    for (host, status, code, verdict) in [
        ("ecr", 404, "NoSuchKey", "404 BLOB_UNKNOWN"),
        ("acr", 409, "AccountIsDisabled", "409 UNKNOWN"),
        ("mcr", 404, "BlobNotFound", "404 BLOB_UNKNOWN"),
        ("quay", 500, "InternalError", "500 UNAVAILABLE"),
        ("hub", 416, "InvalidRange", "416 RANGE_INVALID"),
    ] {
        let (profile, preset) = at(host);
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.registry.blobs().inject(Fault::xml(status, code));
        assert_shape(&world.get(&world.layer()).await, verdict, code, &host);
        world.sim.finish();
    }
}

/// The refusals of section 22 as the registries themselves give them, asked for through the front door.
#[tokio::test(start_paused = true)]
async fn rule_37_refusals_as_they_are_given() {
    let missing = "/v2/acme/public/manifests/none";
    for (profile, preset, method, target, verdict, words) in vec![
        (
            "docker-hub",
            Preset::docker_hub(),
            Method::GET,
            "/v2/library/none/manifests/1",
            "403 DENIED",
            "authentication required",
        ),
        ("docker-hub", Preset::docker_hub(), Method::GET, "/v2/_catalog", "405 UNSUPPORTED", "no catalog"),
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
            "does not support deleting",
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
        ("gitea", Preset::gitea(Offers::Bearer), Method::GET, missing, "404 MANIFEST_UNKNOWN", "manifest"),
        ("distribution", Preset::distribution(Mode::Token), Method::GET, missing, "404 MANIFEST_UNKNOWN", "manifest"),
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
        let world = World::of(profile, preset).await;
        assert_shape(&world.regpass.send(request(method, target)).await, verdict, words, &host);
        world.sim.finish();
    }
}

/// What token services answer: the status says whose fault it is, the words are theirs.
#[tokio::test(start_paused = true)]
async fn rule_37_refusals_of_token_services() {
    for (profile, preset, reply, verdict, words) in vec![
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
        let world = World::of(profile, preset).await;
        world.registry.token().inject(Fault::answer(reply).path(&path));
        assert_shape(&world.get(&manifest(world.can.private)).await, verdict, words, &host);
        world.sim.finish();
    }
}
