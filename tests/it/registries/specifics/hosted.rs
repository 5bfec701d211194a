//! Public registries that differ in their challenge and their token service only.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use tempfile::TempDir;

use crate::harness::{Regpass, registry_table};
use crate::proxied_registry::assert_rejected;
use crate::registry_setup::{RegistrySetup, preset_credential};
use crate::sim::{Hosted, Image, ImageFormat, Preset, Sim};

/// A host of each registry, and the token request of a pull. The names of the preset stand for the real ones.
const TOKEN_REQUESTS: &[(Hosted, &str, &str)] = &[
    (
        Hosted::Alibaba,
        "registry.cn-shanghai.aliyuncs.com",
        "/auth?service=registry.aliyuncs.com:cn-shanghai:26842&scope=repository:acme/private:pull",
    ),
    (Hosted::Chainguard, "cgr.dev", "/token?service=chainguard.test&scope=repository:acme/private:pull"),
    (Hosted::Dhi, "dhi.io", "/token?service=registry.docker.io&scope=repository:acme/private:pull"),
    (
        Hosted::DigitalOcean,
        "registry.digitalocean.com",
        "/v2/registry/auth?service=registry.digitalocean.com&scope=repository:acme/private:pull",
    ),
    (Hosted::Elastic, "docker.elastic.co", "/auth?service=token-service&scope=repository:acme/private:pull"),
    (
        Hosted::Huawei,
        "swr.cn-north-4.myhuaweicloud.com",
        "/swr/auth/v2/registry/auth/?service=dockyard&scope=repository:acme/private:pull",
    ),
    (Hosted::Ibm, "us.icr.io", "/oauth/token?service=registry&scope=repository:acme/private:pull"),
    (Hosted::Oracle, "fra.ocir.io", "/20180419/docker/token?service=oracle.test&scope=repository:acme/private:pull"),
    (
        Hosted::RedHat,
        "registry.redhat.io",
        "/auth/realms/rhcc/protocol/redhat-docker-v2/auth?service=docker-registry&scope=repository:acme/private:pull",
    ),
    (
        Hosted::Scaleway,
        "rg.fr-par.scw.cloud",
        "/registry-internal/v1/regions/fr-par/tokens?service=registry&scope=repository:acme/private:pull",
    ),
];

/// The real host name selects the profile; only the address of the simulator is configured.
#[tokio::test(start_paused = true)]
async fn the_credential_gets_a_token_for_the_repository_from_the_realm_of_the_challenge() {
    for (registry, host, token) in TOKEN_REQUESTS {
        let sim = Sim::memory();
        let preset = Preset::hosted(*registry);
        let credential = preset_credential(&preset);
        let (user, _) = preset.capabilities.credential.unwrap();
        let registry = sim.start(preset).await;
        registry.add_sample_content("1", &Image::single("app", ImageFormat::Oci));
        let table = registry_table(host, &registry, &credential);
        let regpass = Regpass::start(&sim, &format!("default_registry = \"{host}\"\n{table}"));
        let manifest = "/v2/acme/private/manifests/1";
        assert_eq!(regpass.get(manifest).await.status, 200, "{host}");
        sim.ledger().expect(&[
            &format!("registry GET {manifest} anonymous 401"),
            &format!("token GET {token} basic:{user} 200"),
            &format!("registry GET {manifest} bearer#1 200"),
        ]);
        assert_eq!(regpass.get(manifest).await.status, 200, "{host}");
        sim.ledger().expect(&[&format!("registry GET {manifest} bearer#1 200")]);
        sim.finish();
    }
}

/// A challenge whose values have no quotes ends its scope at the comma between two actions.
#[tokio::test(start_paused = true)]
async fn a_push_after_a_challenge_without_quotes_requests_all_actions() {
    let more = "profile = \"ibm\"\nallow = [\"pull\", \"push\"]";
    let setup = RegistrySetup::with_credential(Preset::hosted(Hosted::Ibm), more).await;
    setup.warm().await;
    let uploads = setup.private_uploads();
    assert_eq!(setup.send(Method::POST, &uploads).await.status, 202);
    setup.expect(&[
        "token GET /oauth/token?service=registry&scope=repository:acme/private:pull,push basic:iamapikey 200",
        &format!("registry POST {uploads} bearer#2 202"),
    ]);
    setup.sim.finish();
}

/// Without a credential too: the answer needs no second attempt, and later requests are not delayed by it.
#[tokio::test(start_paused = true)]
async fn a_404_of_the_token_service_for_an_unknown_namespace_is_a_404_that_names_it() {
    for has_credential in [false, true] {
        let preset = Preset::hosted(Hosted::Scaleway);
        let setup = if has_credential {
            RegistrySetup::with_credential(preset, "profile = \"scaleway\"").await
        } else {
            RegistrySetup::without_credential(preset, "profile = \"scaleway\"").await
        };
        let reply = setup.get("/v2/nowhere/app/manifests/1").await;
        let words =
            ["there is no such namespace", "/registry-internal/v1/regions/fr-par/tokens", "resource is not found"];
        assert_rejected(&reply, "404 NAME_UNKNOWN", &words);
        let user = if has_credential { "basic:nologin" } else { "anonymous" };
        setup.expect(&[
            "registry GET /v2/nowhere/app/manifests/1 anonymous 401",
            &format!("token GET /registry-internal/v1/regions/fr-par/tokens?service=registry&scope=repository:nowhere/app:pull {user} 404"),
        ]);
        // Remembered for seconds.
        assert_eq!(setup.get("/v2/nowhere/app/manifests/1").await.status_and_code(), "404 NAME_UNKNOWN");
        setup.expect(&[]);
        assert_eq!(setup.get(&setup.public_manifest()).await.status, 200);
        setup.sim.finish();
    }
}

/// The token service rejects POST with 405, so an identity token is sent by GET from then on.
#[tokio::test(start_paused = true)]
async fn an_identity_token_is_sent_by_get_where_the_token_service_has_no_post() {
    for registry in [Hosted::DigitalOcean, Hosted::Ibm] {
        let identity = "credential = { source = \"identity\", token = \"an identity token\", username = \"robot\" }";
        let setup = RegistrySetup::without_credential(Preset::hosted(registry), identity).await;
        setup.registry.add_user("robot", "an identity token");
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{registry:?}");
        let methods: Vec<_> = setup.sim.ledger().take().iter().map(|entry| entry.method.to_string()).collect();
        assert_eq!(methods, ["GET", "POST", "GET", "GET"], "{registry:?}");
        setup.sim.finish();
    }
}

/// Docker Hardened Images take Docker Hub's credentials, and a credential of their own comes first.
#[tokio::test(start_paused = true)]
async fn docker_hubs_login_is_used_for_dhi_io_unless_there_is_an_own_one() {
    let hub = "https://index.docker.io/v1/";
    for (logins, user) in [(&[(hub, "alice")][..], "alice"), (&[(hub, "alice"), ("dhi.io", "robot")], "robot")] {
        let (sim, regpass, _folder) = start_with_logins("dhi.io", Preset::hosted(Hosted::Dhi), logins).await;
        assert_eq!(regpass.get("/v2/acme/private/manifests/1").await.status, 200, "{user}");
        let token = "token GET /token?service=registry.docker.io&scope=repository:acme/private:pull";
        assert_eq!(sim.ledger().take()[1].to_string(), format!("{token} basic:{user} 200"));
        sim.finish();
    }
    // Names of one component get no namespace there.
    let (sim, regpass, _folder) = start_with_logins("dhi.io", Preset::hosted(Hosted::Dhi), &[(hub, "alice")]).await;
    regpass.get("/v2/python/manifests/1").await;
    assert_eq!(sim.ledger().take()[0].path, "/v2/python/manifests/1");
    sim.finish();
}

/// regpass in front of a registry at `host`, with these hosts and users in docker's file. All passwords are `secret`.
pub async fn start_with_logins(host: &str, mut preset: Preset, logins: &[(&str, &str)]) -> (Sim, Regpass, TempDir) {
    preset.capabilities.credential = preset.capabilities.credential.map(|(user, _)| (user, "secret"));
    let sim = Sim::memory();
    let registry = sim.start(preset).await;
    registry.add_sample_content("1", &Image::single("app", ImageFormat::Oci));
    let auths = logins.iter().map(|(key, user)| {
        registry.add_user(user, "secret");
        (*key, serde_json::json!({ "auth": BASE64_STANDARD.encode(format!("{user}:secret")) }))
    });
    let auths: std::collections::BTreeMap<_, _> = auths.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, serde_json::json!({ "auths": auths }).to_string()).unwrap();
    let credential = format!("credential = {{ source = \"docker\", file = '{}' }}", path.display());
    let table = registry_table(host, &registry, &credential);
    let regpass = Regpass::start(&sim, &format!("default_registry = \"{host}\"\n{table}"));
    (sim, regpass, folder)
}
