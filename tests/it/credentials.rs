//! The credential sources `password`, `identity`, `bearer` and `docker`: where each credential is sent, which one is used, and
//! what happens when it changes.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use tempfile::TempDir;
use tokio::time::advance;

use crate::harness::{Regpass, registry_table, request, single_registry_config};
use crate::sim::{Entry, Fault, Image, ImageFormat, Preset, Registry, Reply, Rule, Sim};

pub const APP: &str = "/v2/team/app/manifests/1";
pub const TOOL: &str = "/v2/team/tool/manifests/1";
pub const ONE_REJECTED: &str = "regpass_credential_rejected_total{registry=\"generic.test\"} 1";

/// A registry with the users alice and bob, the public `team/app` and `team/tool`, and the private `team/secret`.
pub async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.add_user("alice", "wonderland");
    registry.add_user("bob", "builder");
    for name in ["team/app", "team/tool"] {
        registry.publish(name, "1", &Image::single(name, ImageFormat::Oci));
    }
    registry.publish_private("team/secret", "1", &Image::single("secret", ImageFormat::Oci));
    registry
}

/// The configuration key `credential` with a user name and password.
pub fn password(user: &str, password: &str) -> String {
    format!("credential = {{ source = \"password\", username = \"{user}\", password = \"{password}\" }}")
}

/// The authorizations of all token requests, in order; empties the ledger.
pub fn token_authorizations(sim: &Sim) -> Vec<String> {
    let entries = sim.ledger().take();
    entries.iter().filter(|entry| entry.server == "token").map(|entry| entry.authorization.to_string()).collect()
}

/// A bearer credential with the password of alice, as base64, which the simulated GHCR accepts.
fn bearer() -> String {
    format!("credential = {{ source = \"bearer\", token = \"{}\" }}", BASE64_STANDARD.encode("wonderland"))
}

/// A simulated GHCR with the private `alice/app`, and regpass with `more` in the registry's table. Requests
/// without authorization, except to paths that contain `open`, get a challenge with an untrusted realm at `elsewhere.test`.
async fn start_ghcr_with_untrusted_realm(sim: &Sim, more: &str, open: &'static str) -> (Registry, Regpass) {
    // The registry accepts the token although the simulated token service did not issue it.
    sim.allow(Rule::UnknownBearer);
    let registry = start(sim, Preset::ghcr()).await;
    registry.publish_private("alice/app", "1", &Image::single("app", ImageFormat::Oci));
    let (host, url) = (registry.authority(), registry.origin());
    let table = format!("[registry.\"{host}\"]\nurl = \"{url}\"\n{more}\n");
    let regpass = Regpass::start(sim, &format!("default_registry = \"{host}\"\n{table}"));
    let untrusted = Fault::challenge(&["Bearer realm=\"http://elsewhere.test/token\",service=\"x\""]);
    registry.api().inject(
        untrusted.when(move |entry| !entry.headers.contains_key("authorization") && !entry.path.contains(open)),
    );
    (registry, regpass)
}

/// Asserts that a pull of the private `team/secret` succeeds after this token request.
async fn assert_private_pull(sim: Sim, registry: &Registry, credential: &str, token_request: &str) {
    let regpass = Regpass::start(&sim, &single_registry_config(registry, credential));
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/team/secret/manifests/1 anonymous 401",
        token_request,
        "registry GET /v2/team/secret/manifests/1 bearer#1 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn password_is_sent_only_to_the_token_service() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let token = "token GET /token?service=generic.test&scope=repository:team/secret:pull basic:alice 200";
    assert_private_pull(sim, &registry, &password("alice", "wonderland"), token).await;
}

#[tokio::test(start_paused = true)]
async fn identity_token_is_sent_by_post() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.users().add_identity_token("alice", "identity+token/1==");
    let credential = r#"credential = { source = "identity", token = "identity+token/1==" }"#;
    let token = "token POST /token?grant_type=refresh_token&client_id=regpass&service=generic.test&scope=repository:team/secret:pull&refresh_token=… identity 200";
    assert_private_pull(sim, &registry, credential, token).await;
}

#[tokio::test(start_paused = true)]
async fn identity_token_is_sent_by_get_after_post_was_rejected_once() {
    for status in [400, 401, 404, 405] {
        let sim = Sim::memory();
        let mut preset = Preset::generic();
        preset.tokens.post_rejection = Some(Reply::error(status, "UNSUPPORTED", "no"));
        let registry = start(&sim, preset).await;
        registry.add_user("<token>", "identity");
        let credential = r#"credential = { source = "identity", token = "identity" }"#;
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, credential));
        assert_eq!(regpass.get(APP).await.status, 200, "{status}");
        assert_eq!(sim.ledger().count("token", |entry| entry.method == Method::POST), 1, "{status}");
        assert_eq!(
            token_authorizations(&sim),
            ["anonymous", "basic:<token>"],
            "the rejected POST, which the simulator does not parse, then the GET"
        );
        assert_eq!(regpass.get(TOOL).await.status, 200);
        assert_eq!(token_authorizations(&sim), ["basic:<token>"], "{status}: no second POST");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn expired_identity_token_is_a_rejected_credential() {
    for rejection in [None, Some(400), Some(404), Some(405)] {
        let sim = Sim::memory();
        let mut preset = Preset::generic();
        preset.tokens.post_rejection = rejection.map(|status| Reply::error(status, "UNSUPPORTED", "no"));
        let registry = start(&sim, preset).await;
        let credential = r#"credential = { source = "identity", token = "expired" }"#;
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, credential));
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{rejection:?}: {reply:?}");
        assert_eq!(regpass.metric("regpass_credential_rejected_total"), [ONE_REJECTED]);
        sim.finish();
    }
}

/// No token is requested, so it does not matter that the realm is not trusted.
#[tokio::test(start_paused = true)]
async fn bearer_credential_is_sent_to_the_registry_despite_an_untrusted_realm() {
    let sim = Sim::memory();
    let more = format!("allow = [\"pull\", \"push\"]\n{}", bearer());
    let (_registry, regpass) = start_ghcr_with_untrusted_realm(&sim, &more, "/nothing/").await;
    let started = regpass.send(request(Method::POST, "/v2/alice/app/blobs/uploads/")).await;
    assert_eq!(started.status, 202, "{started:?}");
    sim.ledger()
        .expect(&["registry GET /v2/ anonymous 401", "registry POST /v2/alice/app/blobs/uploads/ bearer#unknown 202"]);
    for _ in 0..2 {
        assert_eq!(regpass.get("/v2/alice/app/manifests/1").await.authorization_source(), "direct");
        sim.ledger().expect(&["registry GET /v2/alice/app/manifests/1 bearer#unknown 200"]);
    }
    sim.finish();
}

/// Requests for repositories below `alice` have a bearer credential; all others are anonymous.
#[tokio::test(start_paused = true)]
async fn untrusted_realm_learned_with_a_bearer_credential_does_not_block_public_reads() {
    let sim = Sim::memory();
    let identity = "[[registry.\"ghcr.test\".identity]]\nrepositories = [\"alice/*\"]";
    let more = format!("credential = {{ source = \"anonymous\" }}\n{identity}\n{}", bearer());
    let (registry, regpass) = start_ghcr_with_untrusted_realm(&sim, &more, "/public/").await;
    let public_list = Fault::text(200, "{\"name\":\"public/app\",\"tags\":[]}");
    let is_public = |entry: &Entry| !entry.headers.contains_key("authorization") && entry.path.contains("/public/");
    registry.api().inject(public_list.when(is_public));
    for is_known in [false, true] {
        let reply = regpass.get("/v2/alice/app/manifests/1").await;
        assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "direct"), "{reply:?}");
        assert_eq!(sim.ledger().take().len(), if is_known { 1 } else { 2 });
        let reply = regpass.get("/v2/public/app/tags/list").await;
        assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "none"), "{reply:?}");
        sim.ledger().expect(&["registry GET /v2/public/app/tags/list anonymous 200"]);
    }
    let reply = regpass.get("/v2/bob/app/manifests/1").await;
    assert!(reply.error().1.contains("http://elsewhere.test"), "{reply:?}");
    sim.ledger().take();
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn bearer_credential_is_sent_to_the_registry() {
    let sim = Sim::memory();
    // The registry accepts the token although the simulated token service did not issue it.
    sim.allow(Rule::UnknownBearer);
    let registry = start(&sim, Preset::ghcr()).await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &bearer()));
    registry.publish_private("alice/app", "1", &Image::single("app", ImageFormat::Oci));
    assert_eq!(regpass.get("/v2/alice/app/manifests/1").await.authorization_source(), "direct");
    sim.ledger().expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "registry GET /v2/alice/app/manifests/1 bearer#unknown 200",
    ]);
    assert_eq!(regpass.get("/v2/alice/app/manifests/1").await.status, 200);
    sim.ledger().expect(&["registry GET /v2/alice/app/manifests/1 bearer#unknown 200"]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn most_specific_identity_is_used_with_its_own_tokens() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    for name in ["acme/a", "acme/web/b", "acmex/c"] {
        registry.publish_private(name, "1", &Image::single(name, ImageFormat::Oci));
    }
    registry.add_user("carol", "singer");
    let identity = |repositories: &str, credential: &str| {
        format!("[[registry.\"generic.test\".identity]]\nrepositories = [\"{repositories}\"]\n{credential}\n")
    };
    let own = single_registry_config(&registry, &password("alice", "wonderland"));
    let (bob, carol) = (password("bob", "builder"), password("carol", "singer"));
    let config = [own, identity("acme/**", &bob), identity("acme/web/**", &carol)].concat();
    let regpass = Regpass::start(&sim, &config);
    for (target, authorization) in [
        ("/v2/acme/a/manifests/1", "basic:bob"),
        ("/v2/acme/web/b/manifests/1", "basic:carol"),
        ("/v2/acmex/c/manifests/1", "basic:alice"),
        (APP, "basic:alice"),
    ] {
        assert_eq!(regpass.get(target).await.status, 200, "{target}");
        assert_eq!(token_authorizations(&sim), [authorization], "{target}");
        assert_eq!(regpass.get(target).await.authorization_source(), "cached", "{target}");
        assert!(token_authorizations(&sim).is_empty());
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registries_with_the_same_credential_share_no_token() {
    let sim = Sim::memory();
    let (one, two) = (start(&sim, Preset::generic()).await, start(&sim, Preset::generic().named("other")).await);
    let credential = password("alice", "wonderland");
    let regpass = Regpass::start(
        &sim,
        &format!("{}{}", single_registry_config(&one, &credential), registry_table("other.test", &two, &credential)),
    );
    for target in [APP, "/v2/other.test/team/app/manifests/1"] {
        assert_eq!(regpass.get(target).await.authorization_source(), "fetched");
    }
    sim.finish();
}

/// Writes a docker configuration with a credential for the registry; returns the configuration key `credential` that names it.
pub fn docker_credential(folder: &TempDir, registry: &str, user: &str, password: &str) -> String {
    let path = folder.path().join("config.json");
    let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
    fs::write(&path, format!(r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#)).unwrap();
    format!("credential = {{ source = \"docker\", file = \"{}\" }}", path.display())
}

#[tokio::test(start_paused = true)]
async fn changed_docker_configuration_is_used_within_seconds() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let folder = tempfile::tempdir().unwrap();
    let credential = docker_credential(&folder, "generic.test", "alice", "wonderland");
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &credential));
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(token_authorizations(&sim), ["basic:alice"]);

    docker_credential(&folder, "generic.test", "bob", "builder");
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.authorization_source(), "fetched", "alice's token is not bob's");
    assert_eq!(token_authorizations(&sim), ["basic:bob"]);

    docker_credential(&folder, "elsewhere.test", "bob", "builder");
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.authorization_source(), "fetched");
    assert_eq!(token_authorizations(&sim), ["anonymous"], "after `docker logout`");

    fs::write(folder.path().join("config.json"), "{\"auths\":").unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.authorization_source(), "cached", "the last valid content stays in use");
    sim.finish();
}
