//! Challenges: how regpass parses them, and which parts it uses.
//!
//! - Rule 1: accept unquoted values, several challenges in one line or in several, empty and unknown parameters, and a
//!   query in the realm.
//! - Rule 2: ignore a challenge on any status but 401; except on a 403 of Zot, which asks for Basic that way.
//! - Rule 3: prefer Bearer to Basic, and use Basic if no token can be fetched.
//! - Rule 4: keep the realm's query in the token URL, and omit `service` and `scope` if they are absent.
//! - Rule 5: ignore the scope of a challenge, unless it names the requested repository.
//! - Rule 6: accept a Basic realm that is a URL (ECR), and never send a request to it.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;

use super::{describe_step, registries_of, registry_at, scopes_of, token_calls};
use crate::harness::request;
use crate::registry_setup::{RegistrySetup, manifest_path, password_credential, preset_credential};
use crate::sim::{AuthKind, AuthMode, Fault, GiteaChallenge, Image, ImageFormat, Preset, Reply};

/// Asserts that the first pull takes the challenge, a token for the credential, and the manifest.
fn assert_uses_token(profile: &'static str, preset: Preset) -> BoxFuture<'static, ()> {
    first_pull(profile, preset).boxed()
}

async fn first_pull(profile: &str, preset: Preset) {
    let (host, user) = (preset.host.clone(), preset.capabilities.credential.unwrap().0);
    let setup = RegistrySetup::with_profile(profile, preset).await;
    let reply = setup.get(&setup.private_manifest()).await;
    assert_eq!(reply.status, 200, "{host}: {reply:?}");
    let token = format!("token GET basic:{user} 200");
    assert_eq!(setup.steps(), ["GET anonymous 401", &token, "GET bearer#1 200"], "{host}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_01_every_form_of_challenge_is_parsed() {
    // The challenges have unquoted values, an empty scope, two challenges in one line and in two, and an empty
    // header for a missing repository.
    for (profile, preset) in registries_of(&["google", "zot", "gitea", "ngc", "harbor", "quay"]) {
        if preset.capabilities.auth_kind == AuthKind::Token {
            assert_uses_token(profile, preset).await;
        }
    }
    let mut service_with_spaces = Preset::distribution(AuthMode::Token);
    service_with_spaces.tokens.service = Some("SUSE Linux Docker Registry".to_owned());
    assert_uses_token("generic", service_with_spaces).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_after_an_empty_challenge_the_one_of_v2_is_used() {
    let setup = RegistrySetup::with_profile("harbor", Preset::harbor()).await;
    let reply = setup.get(&manifest_path("nobody/app")).await;
    assert_eq!(reply.status_and_code(), "403 DENIED");
    let steps = setup.steps();
    assert_eq!(steps[..2], ["GET anonymous 401", "GET anonymous 401"], "the manifest, then /v2/ for its challenge");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_01_the_query_of_the_realm_is_kept_without_its_scope() {
    // NGC as of 2019, whose token service accepted several scopes.
    let line = r#"Bearer realm="{realm}?team=cuda&scope=repository:nvidia/cuda:pull,push""#;
    let mut preset = Preset::ngc().challenges(&[line]);
    preset.tokens.grant = std::sync::Arc::new(|ask| Ok(ask.permitted_scopes()));
    let setup = RegistrySetup::anonymous("ngc", preset).await;
    assert_eq!(setup.get(&setup.public_manifest()).await.status, 200);
    let calls = token_calls(&setup.sim);
    assert_eq!(scopes_of(&calls[0]), ["repository:nvidia/cuda:pull"], "only what this request needs");
    assert_eq!(calls[0].query_value("team").as_deref(), Some("cuda"));
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_challenge_on_another_status_than_401_is_ignored() {
    let evil = r#"Bearer realm="http://evil.test/t",service="evil""#;
    for (profile, preset) in registries_of(&["zot", "quay"]) {
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.warm().await;
        let grant = setup.get(&setup.private_manifest()).await.authorization_source().to_owned();
        setup.sim.ledger().take();
        let (found, missing) = (setup.private_manifest(), setup.private_path("manifests/none"));
        for line in [evil, "bearer realm=http://evil.test/t", "Basic realm=x"] {
            let fault = setup.registry.api().inject(Fault::with_header("www-authenticate", line));
            for (target, status) in [(&found, 200), (&missing, 404)] {
                let reply = setup.get(target).await;
                assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (status, None), "{profile}");
                assert_eq!(reply.authorization_source(), grant, "{profile}: the token is still in use");
                assert_eq!(setup.steps().len(), 1, "{profile}");
            }
            fault.remove();
        }
        let forbidden = Reply::error(403, "DENIED", "no").header("www-authenticate", evil);
        setup.registry.api().inject(Fault::answer(forbidden).times(1));
        assert_eq!(setup.get(&found).await.status_and_code(), "403 DENIED", "{profile}");
        assert_eq!(setup.steps().len(), 1, "{profile}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_403_with_a_basic_challenge_is_a_challenge_at_zot_only() {
    // With the configured profile, and with the one that regpass detects.
    for profile in ["profile = \"zot\"", ""] {
        let preset = Preset::zot_open_in_part();
        let table = format!("{profile}\n{}", preset_credential(&preset));
        let setup = RegistrySetup::start(preset, Image::single("app", ImageFormat::Oci), &table).await;
        let (public, private) = (setup.public_manifest(), setup.private_manifest());
        assert_eq!(setup.get(&public).await.status, 200, "public content needs no credential");
        assert_eq!(setup.get(&private).await.status, 200, "{profile}");
        assert_eq!(setup.get(&private).await.status, 200, "{profile}");
        assert_eq!(
            setup.steps(),
            ["GET anonymous 200", "GET anonymous 403", "GET basic:acme 200", "GET basic:acme 200"]
        );
        // A 403 for a request with the credential is a denial.
        setup.registry.api().inject(Fault::answer(Preset::zot_forbidden()));
        assert_eq!(setup.get(&private).await.status_and_code(), "403 DENIED", "{profile}");
        assert_eq!(setup.steps().len(), 1, "{profile}");
        setup.sim.finish();
    }
    // At other registries regpass sends no credential after a 403.
    let setup = RegistrySetup::with_profile("distribution", Preset::distribution(AuthMode::Htpasswd)).await;
    setup.registry.api().inject(Fault::answer(Preset::zot_forbidden()));
    assert_eq!(setup.get(&setup.private_manifest()).await.status_and_code(), "403 DENIED");
    assert_eq!(setup.steps(), ["GET anonymous 403"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_03_bearer_is_preferred_to_basic() {
    for offers in [GiteaChallenge::Bare, GiteaChallenge::TwoLines, GiteaChallenge::OneLine] {
        assert_uses_token("gitea", Preset::gitea(offers)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_03_basic_is_used_if_no_token_can_be_fetched() {
    let unavailable = |status| Fault::text(status, "404 page not found").path("/v2/token");
    for offers in [GiteaChallenge::Bare, GiteaChallenge::TwoLines, GiteaChallenge::OneLine] {
        for fault in [unavailable(404), unavailable(502), Fault::html(200).path("/v2/token")] {
            let setup = RegistrySetup::with_profile("gitea", Preset::gitea(offers)).await;
            setup.registry.api().inject(fault);
            let reply = setup.get(&setup.private_manifest()).await;
            assert_eq!(reply.status, 200, "{offers:?}: {reply:?}");
            assert_eq!(setup.steps().last().unwrap(), "GET basic:acme 200", "{offers:?}");
            setup.sim.finish();
        }
        // A realm at another host name of the server (`ROOT_URL`), which may not get the credential.
        let elsewhere = Preset::gitea(offers).realm("http://gitea.corp.test/v2/token");
        let setup = RegistrySetup::with_profile("gitea", elsewhere).await;
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{offers:?}");
        assert_eq!(setup.steps(), ["GET anonymous 401", "GET basic:acme 200"], "{offers:?}");
        setup.sim.finish();
    }
    // If the token service rejects the credential, regpass does not send it to the registry.
    let wrong = password_credential("acme", "wrong");
    let setup = RegistrySetup::with_table("gitea", Preset::gitea(GiteaChallenge::TwoLines), &wrong).await;
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 403);
    assert!(setup.steps().iter().all(|step| !step.starts_with("GET basic")), "the registry got the password");
    // If the challenge does not offer Basic, regpass does not fall back to it.
    let elsewhere = Preset::gitea(GiteaChallenge::Bearer).realm("http://gitea.corp.test/v2/token");
    let setup = RegistrySetup::with_profile("gitea", elsewhere).await;
    assert_eq!(setup.get(&setup.private_manifest()).await.status_and_code(), "502 DENIED");
    assert_eq!(setup.steps(), ["GET anonymous 401"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_04_token_urls_omit_an_absent_service() {
    let (artifact, container) = ("scope=repository%3Aproject%2Fimages%2Fprivate%3Apull", "project%2Fprivate%3Apull");
    let (zot, container) = (
        "service=zot&scope=repository%3Aacme%2Fprivate%3Apull",
        format!("service=gcr.test&scope=repository%3A{container}"),
    );
    for (host, repository, by_v2) in [
        // NGC names no service.
        ("ngc", "scope=repository%3Aacme%2Fteam%2Fmodel%3Apull", None),
        ("pkg", &*format!("service=pkg.test&{artifact}"), Some(artifact)),
        ("gcr", &container, Some(&*container)),
        ("zot", zot, Some(zot)),
    ] {
        let (profile, preset) = registry_at(host);
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset.clone()).await;
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        assert_eq!(token_calls(&setup.sim)[0].query, repository, "{host}");
        setup.sim.finish();
        // Here only `/v2/` has a challenge, and that of Artifact Registry (`pkg`) names no service.
        let Some(by_v2) = by_v2 else { continue };
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.registry.api().inject(Fault::without_header("www-authenticate").path("/manifests/").times(1));
        assert_eq!(setup.get(&setup.private_manifest()).await.status, 200, "{host}");
        assert_eq!(token_calls(&setup.sim)[0].query, by_v2, "{host}, by /v2/");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_challenges_scope_is_used_only_if_it_names_the_repository() {
    let short = "docker-local/acme/private";
    for (profile, preset, method, name, scope) in vec![
        // GHCR's challenge for a missing repository names a placeholder.
        ("ghcr", Preset::ghcr(), Method::GET, "toddysm/none", "repository:toddysm/none:pull"),
        ("ghcr", Preset::ghcr(), Method::GET, "toddysm/private", "repository:toddysm/private:pull"),
        ("ecr-public", Preset::ecr_public(), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("gitea", Preset::gitea(GiteaChallenge::Bearer), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("gitea", Preset::gitea(GiteaChallenge::OneLine), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("zot", Preset::zot(), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("artifactory", Preset::artifactory(), Method::HEAD, "acme/private", "repository:acme/private:pull"),
        // Artifactory's scopes omit the first component of the path.
        ("artifactory", Preset::artifactory_by_path(), Method::GET, short, "repository:acme/private:pull"),
        ("quay", Preset::quay(), Method::GET, "acme/private", "repository:acme/private:pull"),
    ] {
        let host = preset.host.clone();
        let setup = RegistrySetup::with_profile(profile, preset).await;
        setup.regpass.send(request(method, &manifest_path(name))).await;
        let calls = token_calls(&setup.sim);
        assert_eq!(scopes_of(&calls[0]), [scope], "{host}");
        setup.sim.finish();
    }
    // The scope of the challenge of `/v2/` is not used.
    let setup = RegistrySetup::with_profile("zot", Preset::zot()).await;
    setup.registry.api().inject(Fault::without_header("www-authenticate").path("/manifests/").times(1));
    assert_eq!(setup.get(&setup.private_manifest()).await.status, 200);
    assert_eq!(scopes_of(&token_calls(&setup.sim)[0]), ["repository:acme/private:pull"]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_06_the_url_in_a_basic_realm_gets_no_request() {
    let setup = RegistrySetup::with_profile("ecr", Preset::ecr()).await;
    for target in [setup.private_manifest(), setup.private_layer(), setup.private_path("tags/list")] {
        assert_eq!(setup.get(&target).await.status, 200, "{target}");
    }
    let entries = setup.sim.ledger().take();
    let api: Vec<String> = entries.iter().filter(|entry| entry.server == "registry").map(describe_step).collect();
    assert_eq!(api, ["GET anonymous 401", "GET basic:AWS 200", "GET basic:AWS 307", "GET basic:AWS 200"]);
    assert!(entries.iter().all(|entry| entry.path != "/" && entry.server != "token"), "{entries:?}");
    setup.sim.finish();
}
