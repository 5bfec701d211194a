//! Logins of every kind through the proxy: which one is used where, when it changes, and what a wrong one does.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use tempfile::TempDir;
use tokio::time::advance;

use crate::harness::{Regpass, only, request, table};
use crate::sim::{Entry, Family, Fault, Image, Preset, Registry, Reply, Rule, Sim};

pub const APP: &str = "/v2/team/app/manifests/1";
pub const TOOL: &str = "/v2/team/tool/manifests/1";
pub const REJECTED: &str = "regpass_credential_rejected_total{registry=\"generic.test\"} 1";

/// A registry that knows alice and bob, with a public `team/app` and a private `team/secret`.
pub async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.user("alice", "wonderland");
    registry.user("bob", "builder");
    for name in ["team/app", "team/tool"] {
        registry.publish(name, "1", &Image::single(name, Family::Oci));
    }
    registry.keep("team/secret", "1", &Image::single("secret", Family::Oci));
    registry
}

pub fn password(user: &str, password: &str) -> String {
    format!("credential = {{ source = \"password\", username = \"{user}\", password = \"{password}\" }}")
}

/// Who asked the token service, in order.
pub fn logins(sim: &Sim) -> Vec<String> {
    let entries = sim.ledger().take();
    entries.iter().filter(|entry| entry.server == "token").map(|entry| entry.authorization.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_password_goes_to_the_token_service_and_nowhere_else() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let regpass = Regpass::start(&sim, &only(&registry, &password("alice", "wonderland")));
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/team/secret/manifests/1 anonymous 401",
        "token GET /token?service=generic.test&scope=repository:team/secret:pull basic:alice 200",
        "registry GET /v2/team/secret/manifests/1 bearer#1 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_identity_goes_by_post() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    registry.users().add_identity("alice", "identity+token/1==");
    let login = r#"credential = { source = "identity", token = "identity+token/1==" }"#;
    let regpass = Regpass::start(&sim, &only(&registry, login));
    assert_eq!(regpass.get("/v2/team/secret/manifests/1").await.status, 200);
    sim.ledger().expect(&[
        "registry GET /v2/team/secret/manifests/1 anonymous 401",
        "token POST /token?grant_type=refresh_token&client_id=regpass&service=generic.test&scope=repository:team/secret:pull&refresh_token=… identity 200",
        "registry GET /v2/team/secret/manifests/1 bearer#1 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_identity_goes_by_get_where_post_is_refused_and_that_is_remembered() {
    for status in [400, 401, 404, 405] {
        let sim = Sim::memory();
        let mut preset = Preset::generic();
        preset.tokens.post_refused = Some(Reply::error(status, "UNSUPPORTED", "no"));
        let registry = start(&sim, preset).await;
        registry.user("<token>", "identity");
        let login = r#"credential = { source = "identity", token = "identity" }"#;
        let regpass = Regpass::start(&sim, &only(&registry, login));
        assert_eq!(regpass.get(APP).await.status, 200, "{status}");
        assert_eq!(sim.ledger().count("token", |entry| entry.method == Method::POST), 1, "{status}");
        assert_eq!(logins(&sim), ["anonymous", "basic:<token>"], "the refused form was not read");
        assert_eq!(regpass.get(TOOL).await.status, 200);
        assert_eq!(logins(&sim), ["basic:<token>"], "{status}: remembered");
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_over_is_a_stale_login_whatever_post_says() {
    for refusal in [None, Some(400), Some(404), Some(405)] {
        let sim = Sim::memory();
        let mut preset = Preset::generic();
        preset.tokens.post_refused = refusal.map(|status| Reply::error(status, "UNSUPPORTED", "no"));
        let registry = start(&sim, preset).await;
        let login = r#"credential = { source = "identity", token = "over" }"#;
        let regpass = Regpass::start(&sim, &only(&registry, login));
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{refusal:?}: {reply:?}");
        assert_eq!(regpass.metric("regpass_credential_rejected_total"), [REJECTED]);
        sim.finish();
    }
}

/// No token service is asked, so it does not matter that this one may not be.
#[tokio::test(start_paused = true)]
async fn a_fixed_token_goes_to_the_registry_itself_whatever_its_realm() {
    let sim = Sim::memory();
    sim.allow(Rule::UnknownBearer);
    let registry = start(&sim, Preset::ghcr()).await;
    let host = registry.authority();
    let regpass = Regpass::start(
        &sim,
        &format!(
            "default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{}\"\nallow = [\"pull\", \"push\"]\n\
             credential = {{ source = \"bearer\", token = \"{}\" }}\n",
            registry.origin(),
            BASE64_STANDARD.encode("wonderland")
        ),
    );
    registry.keep("alice/app", "1", &Image::single("app", Family::Oci));
    let elsewhere = Fault::challenge(&["Bearer realm=\"http://elsewhere.test/token\",service=\"x\""]);
    let fault = registry.registry().inject(elsewhere.when(|entry| !entry.headers.contains_key("authorization")));
    let begun = regpass.send(request(Method::POST, "/v2/alice/app/blobs/uploads/")).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    sim.ledger()
        .expect(&["registry GET /v2/ anonymous 401", "registry POST /v2/alice/app/blobs/uploads/ bearer#unknown 202"]);
    for _ in 0..2 {
        assert_eq!(regpass.get("/v2/alice/app/manifests/1").await.grant(), "direct");
        sim.ledger().expect(&["registry GET /v2/alice/app/manifests/1 bearer#unknown 200"]);
    }
    fault.lift();
    sim.finish();
}

/// What its owner learned of the realm is no reason to keep from others what the registry shows to everybody.
#[tokio::test(start_paused = true)]
async fn a_fixed_token_leaves_others_what_is_public() {
    let sim = Sim::memory();
    sim.allow(Rule::UnknownBearer);
    let registry = start(&sim, Preset::ghcr()).await;
    let host = registry.authority();
    let token = BASE64_STANDARD.encode("wonderland");
    let text = format!(
        "default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{}\"\ncredential = {{ source = \"anonymous\" }}\n\
         [[registry.\"{host}\".identity]]\nrepositories = [\"alice/*\"]\n\
         credential = {{ source = \"bearer\", token = \"{token}\" }}\n",
        registry.origin(),
    );
    let regpass = Regpass::start(&sim, &text);
    registry.keep("alice/app", "1", &Image::single("app", Family::Oci));
    let is_bare = |entry: &Entry| !entry.headers.contains_key("authorization");
    let is_public = |entry: &Entry| entry.path.contains("/public/");
    let elsewhere = Fault::challenge(&["Bearer realm=\"http://elsewhere.test/token\",service=\"x\""]);
    registry.registry().inject(elsewhere.when(move |entry| is_bare(entry) && !is_public(entry)));
    let shown = Fault::text(200, "{\"name\":\"public/app\",\"tags\":[]}");
    registry.registry().inject(shown.when(move |entry| is_bare(entry) && is_public(entry)));
    for learned in [false, true] {
        let reply = regpass.get("/v2/alice/app/manifests/1").await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (200, "direct"), "{reply:?}");
        assert_eq!(sim.ledger().take().len(), if learned { 1 } else { 2 });
        let reply = regpass.get("/v2/public/app/tags/list").await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (200, "none"), "{reply:?}");
        sim.ledger().expect(&["registry GET /v2/public/app/tags/list anonymous 200"]);
    }
    let reply = regpass.get("/v2/bob/app/manifests/1").await;
    assert!(reply.error().1.contains("http://elsewhere.test"), "{reply:?}");
    sim.ledger().take();
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_fixed_token_goes_to_the_registry_itself() {
    let sim = Sim::memory();
    // The registry takes it although no token service issued it.
    sim.allow(Rule::UnknownBearer);
    let registry = start(&sim, Preset::ghcr()).await;
    let token = BASE64_STANDARD.encode("wonderland");
    let login = format!("credential = {{ source = \"bearer\", token = \"{token}\" }}");
    let regpass = Regpass::start(&sim, &only(&registry, &login));
    registry.keep("alice/app", "1", &Image::single("app", Family::Oci));
    assert_eq!(regpass.get("/v2/alice/app/manifests/1").await.grant(), "direct");
    sim.ledger().expect(&[
        "registry GET /v2/alice/app/manifests/1 anonymous 401",
        "registry GET /v2/alice/app/manifests/1 bearer#unknown 200",
    ]);
    assert_eq!(regpass.get("/v2/alice/app/manifests/1").await.status, 200);
    sim.ledger().expect(&["registry GET /v2/alice/app/manifests/1 bearer#unknown 200"]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_closest_identity_is_used_and_tokens_do_not_cross() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    for name in ["acme/a", "acme/web/b", "acmex/c"] {
        registry.keep(name, "1", &Image::single(name, Family::Oci));
    }
    registry.user("carol", "singer");
    let identity = |repositories: &str, login: &str| {
        format!("[[registry.\"generic.test\".identity]]\nrepositories = [\"{repositories}\"]\n{login}\n")
    };
    let own = only(&registry, &password("alice", "wonderland"));
    let (bob, carol) = (password("bob", "builder"), password("carol", "singer"));
    let config = [own, identity("acme/**", &bob), identity("acme/web/**", &carol)].concat();
    let regpass = Regpass::start(&sim, &config);
    for (target, login) in [
        ("/v2/acme/a/manifests/1", "basic:bob"),
        ("/v2/acme/web/b/manifests/1", "basic:carol"),
        ("/v2/acmex/c/manifests/1", "basic:alice"),
        (APP, "basic:alice"),
    ] {
        assert_eq!(regpass.get(target).await.status, 200, "{target}");
        assert_eq!(logins(&sim), [login], "{target}");
        assert_eq!(regpass.get(target).await.grant(), "cached", "{target}");
        assert!(logins(&sim).is_empty());
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registries_with_one_login_share_nothing() {
    let sim = Sim::memory();
    let (one, two) = (start(&sim, Preset::generic()).await, start(&sim, Preset::generic().named("other")).await);
    let login = password("alice", "wonderland");
    let regpass = Regpass::start(&sim, &format!("{}{}", only(&one, &login), table("other.test", &two, &login)));
    for target in [APP, "/v2/other.test/team/app/manifests/1"] {
        assert_eq!(regpass.get(target).await.grant(), "fetched");
    }
    sim.finish();
}

/// A docker configuration with a login for the registry.
pub fn docker_login(folder: &TempDir, registry: &str, user: &str, password: &str) -> String {
    let path = folder.path().join("config.json");
    let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
    fs::write(&path, format!(r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#)).unwrap();
    format!("credential = {{ source = \"docker\", file = \"{}\" }}", path.display())
}

#[tokio::test(start_paused = true)]
async fn a_changed_docker_configuration_is_in_force_at_once() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    let folder = tempfile::tempdir().unwrap();
    let login = docker_login(&folder, "generic.test", "alice", "wonderland");
    let regpass = Regpass::start(&sim, &only(&registry, &login));
    assert_eq!(regpass.get(APP).await.status, 200);
    assert_eq!(logins(&sim), ["basic:alice"]);

    docker_login(&folder, "generic.test", "bob", "builder");
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.grant(), "fetched", "alice's token is not bob's");
    assert_eq!(logins(&sim), ["basic:bob"]);

    docker_login(&folder, "elsewhere.test", "bob", "builder");
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.grant(), "fetched");
    assert_eq!(logins(&sim), ["anonymous"], "logged out");

    fs::write(folder.path().join("config.json"), "{\"auths\":").unwrap();
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(APP).await.grant(), "cached", "what was good stays");
    sim.finish();
}
