//! Rules 1 to 6: challenges as registries write them, and what is believed of them.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;

use super::{World, asked, at, login, manifest, registries, step, token_calls};
use crate::harness::request;
use crate::sim::{Fault, Mode, Offers, Preset, Reply};

/// The login's first pull: a challenge, a token, and the manifest.
fn assert_learns(profile: &'static str, preset: Preset) -> BoxFuture<'static, ()> {
    learns(profile, preset).boxed()
}

async fn learns(profile: &str, preset: Preset) {
    let (host, user) = (preset.host.clone(), preset.can.login.unwrap().0);
    let world = World::of(profile, preset).await;
    let reply = world.get(&world.private()).await;
    assert_eq!(reply.status, 200, "{host}: {reply:?}");
    let token = format!("token GET basic:{user} 200");
    assert_eq!(world.steps(), ["GET anonymous 401", &token, "GET bearer#1 200"], "{host}");
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_01_every_form_of_challenge_is_read() {
    // Unquoted values, an empty scope, two challenges in a line and in two lines, an empty header for what is not there.
    for (profile, preset) in registries(&["google", "zot", "gitea", "ngc", "harbor", "quay"]) {
        if preset.can.shown == crate::sim::Shown::Token {
            assert_learns(profile, preset).await;
        }
    }
    let mut blanks = Preset::distribution(Mode::Token);
    blanks.tokens.service = Some("SUSE Linux Docker Registry".to_owned());
    assert_learns("generic", blanks).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_empty_challenge_is_none_and_the_base_has_one() {
    let world = World::of("harbor", Preset::harbor()).await;
    let reply = world.get(&manifest("nobody/app")).await;
    assert_eq!(reply.verdict(), "403 DENIED");
    let steps = world.steps();
    assert_eq!(steps[..2], ["GET anonymous 401", "GET anonymous 401"], "the repository, and /v2/ for a challenge");
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_query_in_the_realm_stays_there_but_for_its_scope() {
    // NGC as of 2019, whose token service took more than one scope.
    let line = r#"Bearer realm="{realm}?team=cuda&scope=repository:nvidia/cuda:pull,push""#;
    let mut preset = Preset::ngc().challenges(&[line]);
    preset.tokens.grant = std::sync::Arc::new(|ask| Ok(ask.reduced()));
    let world = World::anonymous("ngc", preset).await;
    assert_eq!(world.get(&world.public()).await.status, 200);
    let calls = token_calls(&world.sim);
    assert_eq!(asked(&calls[0]), ["repository:nvidia/cuda:pull"], "what this request needs, and no more");
    assert_eq!(calls[0].query_value("team").as_deref(), Some("cuda"));
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_challenge_beside_another_status_is_ignored() {
    let evil = r#"Bearer realm="http://evil.test/t",service="evil""#;
    for (profile, preset) in registries(&["zot", "quay"]) {
        let world = World::of(profile, preset).await;
        world.warm().await;
        let grant = world.get(&world.private()).await.grant().to_owned();
        world.sim.ledger().take();
        let (found, missing) = (world.private(), format!("/v2/{}/manifests/none", world.can.private));
        for line in [evil, "bearer realm=http://evil.test/t", "Basic realm=x"] {
            let fault = world.registry.registry().inject(Fault::with_header("www-authenticate", line));
            for (target, status) in [(&found, 200), (&missing, 404)] {
                let reply = world.get(target).await;
                assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (status, None), "{profile}");
                assert_eq!(reply.grant(), grant, "{profile}: what was known is still known");
                assert_eq!(world.steps().len(), 1, "{profile}");
            }
            fault.lift();
        }
        let forbidden = Reply::error(403, "DENIED", "no").header("www-authenticate", evil);
        world.registry.registry().inject(Fault::answer(forbidden).times(1));
        assert_eq!(world.get(&found).await.verdict(), "403 DENIED", "{profile}");
        assert_eq!(world.steps().len(), 1, "{profile}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_403_with_basic_is_a_challenge_where_zot_has_passwords() {
    for profile in ["zot", ""] {
        let preset = Preset::zot_open_in_part();
        let named = if profile.is_empty() { String::new() } else { format!("profile = \"{profile}\"\n") };
        let (sim, registry, regpass) = by_first_challenge(preset, &named).await;
        let can = registry.preset().can.clone();
        let (public, private) = (manifest(can.public), manifest(can.private));
        assert_eq!(regpass.get(&public).await.status, 200, "what is open needs no login");
        assert_eq!(regpass.get(&private).await.status, 200, "known as '{profile}'");
        assert_eq!(regpass.get(&private).await.status, 200);
        let steps: Vec<String> = sim.ledger().take().iter().map(step).collect();
        assert_eq!(steps, ["GET anonymous 200", "GET anonymous 403", "GET basic:acme 200", "GET basic:acme 200"]);
        // With the login it is a refusal, and final.
        registry.registry().inject(Fault::answer(Preset::zot_forbidden()));
        assert_eq!(regpass.get(&private).await.verdict(), "403 DENIED");
        assert_eq!(sim.ledger().take().len(), 1);
        sim.finish();
    }
    // Elsewhere nobody is shown a login for a 403.
    let world = World::of("distribution", Preset::distribution(Mode::Htpasswd)).await;
    world.registry.registry().inject(Fault::answer(Preset::zot_forbidden()));
    assert_eq!(world.get(&world.private()).await.verdict(), "403 DENIED");
    assert_eq!(world.steps(), ["GET anonymous 403"]);
    world.sim.finish();
}

/// A registry whose kind regpass has to find out, unless `named` says so.
async fn by_first_challenge(
    preset: Preset,
    named: &str,
) -> (crate::sim::Sim, crate::sim::Registry, crate::harness::Regpass) {
    let sim = crate::sim::Sim::memory();
    let login = login(&preset);
    let registry = sim.start(preset).await;
    registry.furnish("1", &crate::sim::Image::single("app", crate::sim::Family::Oci));
    let text = crate::harness::only(&registry, &format!("{named}{login}"));
    let regpass = crate::harness::Regpass::start(&sim, &text);
    (sim, registry, regpass)
}

#[tokio::test(start_paused = true)]
async fn rule_03_bearer_comes_before_basic() {
    for offers in [Offers::Bare, Offers::TwoLines, Offers::OneLine] {
        assert_learns("gitea", Preset::gitea(offers)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_03_basic_is_there_when_no_token_is_to_be_had() {
    let away = |status| Fault::text(status, "404 page not found").path("/v2/token");
    for offers in [Offers::Bare, Offers::TwoLines, Offers::OneLine] {
        for fault in [away(404), away(502), Fault::html(200).path("/v2/token")] {
            let world = World::of("gitea", Preset::gitea(offers)).await;
            world.registry.registry().inject(fault);
            let reply = world.get(&world.private()).await;
            assert_eq!(reply.status, 200, "{offers:?}: {reply:?}");
            assert_eq!(world.steps().last().unwrap(), "GET basic:acme 200", "{offers:?}");
            world.sim.finish();
        }
        // A realm below another name of the server (ROOT_URL), where the login may not go.
        let elsewhere = Preset::gitea(offers).realm("http://gitea.corp.test/v2/token");
        let world = World::of("gitea", elsewhere).await;
        assert_eq!(world.get(&world.private()).await.status, 200, "{offers:?}");
        assert_eq!(world.steps(), ["GET anonymous 401", "GET basic:acme 200"], "{offers:?}");
        world.sim.finish();
    }
    // A token service that refuses the login has said something about it.
    let wrong = super::as_user("acme", "wrong");
    let world = World::with("gitea", Preset::gitea(Offers::TwoLines), &wrong).await;
    assert_eq!(world.get(&world.private()).await.status, 403);
    assert!(world.steps().iter().all(|step| !step.starts_with("GET basic")), "the API saw no password");
    // Where Basic is not offered it is not tried.
    let elsewhere = Preset::gitea(Offers::Bearer).realm("http://gitea.corp.test/v2/token");
    let world = World::of("gitea", elsewhere).await;
    assert_eq!(world.get(&world.private()).await.verdict(), "502 DENIED");
    assert_eq!(world.steps(), ["GET anonymous 401"]);
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_04_token_urls_leave_out_what_is_absent() {
    let (artifact, container) = ("scope=repository%3Aproject%2Fimages%2Fprivate%3Apull", "project%2Fprivate%3Apull");
    let (zot, container) = (
        "service=zot&scope=repository%3Aacme%2Fprivate%3Apull",
        format!("service=gcr.test&scope=repository%3A{container}"),
    );
    for (host, repository, base) in [
        // NGC names no service.
        ("ngc", "scope=repository%3Aacme%2Fteam%2Fmodel%3Apull", None),
        ("pkg", &*format!("service=pkg.test&{artifact}"), Some(artifact)),
        ("gcr", &container, Some(&*container)),
        ("zot", zot, Some(zot)),
    ] {
        let (profile, preset) = at(host);
        let host = preset.host.clone();
        let world = World::of(profile, preset.clone()).await;
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        assert_eq!(token_calls(&world.sim)[0].query, repository, "{host}");
        world.sim.finish();
        // By the challenge of /v2/, which names less.
        let Some(base) = base else { continue };
        let world = World::of(profile, preset).await;
        world.registry.registry().inject(Fault::without_header("www-authenticate").path("/manifests/").times(1));
        assert_eq!(world.get(&world.private()).await.status, 200, "{host}");
        assert_eq!(token_calls(&world.sim)[0].query, base, "{host}, by /v2/");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_scope_is_believed_when_it_names_the_repository() {
    let short = "docker-local/acme/private";
    for (profile, preset, method, name, scope) in vec![
        // The placeholder, for a repository that is not there.
        ("ghcr", Preset::ghcr(), Method::GET, "toddysm/none", "repository:toddysm/none:pull"),
        ("ghcr", Preset::ghcr(), Method::GET, "toddysm/private", "repository:toddysm/private:pull"),
        ("ecr-public", Preset::ecr_public(), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("gitea", Preset::gitea(Offers::Bearer), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("gitea", Preset::gitea(Offers::OneLine), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("zot", Preset::zot(), Method::GET, "acme/private", "repository:acme/private:pull"),
        ("artifactory", Preset::artifactory(), Method::HEAD, "acme/private", "repository:acme/private:pull"),
        // The name without the repository's key wins.
        ("artifactory", Preset::artifactory_by_path(), Method::GET, short, "repository:acme/private:pull"),
        ("quay", Preset::quay(), Method::GET, "acme/private", "repository:acme/private:pull"),
    ] {
        let host = preset.host.clone();
        let world = World::of(profile, preset).await;
        world.regpass.send(request(method, &manifest(name))).await;
        let calls = token_calls(&world.sim);
        assert_eq!(asked(&calls[0]), [scope], "{host}");
        world.sim.finish();
    }
    // What /v2/ says about scopes says nothing about the repository.
    let world = World::of("zot", Preset::zot()).await;
    world.registry.registry().inject(Fault::without_header("www-authenticate").path("/manifests/").times(1));
    assert_eq!(world.get(&world.private()).await.status, 200);
    assert_eq!(asked(&token_calls(&world.sim)[0]), ["repository:acme/private:pull"]);
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn rule_06_basic_with_a_realm_that_is_a_url_calls_nobody() {
    let world = World::of("ecr", Preset::ecr()).await;
    for target in [world.private(), world.layer(), format!("/v2/{}/tags/list", world.can.private)] {
        assert_eq!(world.get(&target).await.status, 200, "{target}");
    }
    let entries = world.sim.ledger().take();
    let api: Vec<String> = entries.iter().filter(|entry| entry.server == "registry").map(step).collect();
    assert_eq!(api, ["GET anonymous 401", "GET basic:AWS 200", "GET basic:AWS 307", "GET basic:AWS 200"]);
    assert!(entries.iter().all(|entry| entry.path != "/" && entry.server != "token"), "{entries:?}");
    world.sim.finish();
}
