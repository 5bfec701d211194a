//! `WWW-Authenticate` as registries write it, from the header to the token request.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::advance;

use crate::harness::{Regpass, only, request};
use crate::sim::{Entry, Family, Fault, Image, Mint, Mode, Preset, Registry, Reply, Scope, Sim, TokenPlace};

const APP: &str = "/v2/team/app/manifests/1";
const REFUSED: &str = "registry GET /v2/team/app/manifests/1 anonymous 401";
const SERVED: &str = "registry GET /v2/team/app/manifests/1 bearer#1 200";

async fn start(sim: &Sim, preset: Preset) -> (Registry, Regpass) {
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", Family::Oci));
    let regpass = Regpass::start(sim, &only(&registry, ""));
    (registry, regpass)
}

/// A registry that challenges with these lines answers, after one token request with this query.
async fn leads_to(lines: &[&str], target: &str, service: &str) {
    let sim = Sim::memory();
    let mut preset = Preset::generic().challenges(lines);
    if !service.is_empty() {
        preset.tokens.service = Some(service.to_owned());
    }
    let (_registry, regpass) = start(&sim, preset).await;
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, 200, "{lines:?}: {reply:?}");
    sim.ledger().expect(&[REFUSED, &format!("token GET {target} anonymous 200"), SERVED]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn every_odd_form_leads_to_the_token_service() {
    const FULL: &str = "/token?service=generic.test&scope=repository:team/app:pull";
    const BARE: &str = "/token?scope=repository:team/app:pull";
    for (lines, target) in [
        (&[r#"Bearer realm="{realm}",service="{service}",scope="{scope}""#][..], FULL),
        (&[r"Bearer realm={realm},service={service},scope={scope}"], FULL),
        (&[r#"bEARER ReAlM="{realm}" , SERVICE = "{service}""#], FULL),
        (&[r#"Bearer realm="{realm}" service="{service}""#], FULL),
        (&[r#"Bearer realm="{realm}",service="{service}",scope="",error="""#], FULL),
        (&[r#"Bearer realm="{realm}",service="",scope="""#], BARE),
        (&[r#"Bearer realm="{realm}""#], BARE),
        (&[r#"Bearer realm="{realm}",service="{service}",unknown="a,b=c \"d\"",realm="http://second.test/""#], FULL),
        (&[r#"Bearer realm="{realm}",service="{service}",Basic realm="{realm}",service="{service}""#], FULL),
        (&[r#"Basic realm="{realm}",service="{service}",scope="*",Bearer realm="{realm}",service="{service}""#], FULL),
        (&[r#"Basic realm="x""#, r#"Bearer realm="{realm}",service="{service}""#], FULL),
        (&[r#"Bearer realm="{realm}",service="{service}""#, r#"Basic realm="x""#], FULL),
        (&["Negotiate", "NTLM", r#"Bearer realm="{realm}",service="{service}""#], FULL),
        (&[r#"Negotiate YII+x/==, Bearer realm="{realm}",service="{service}""#], FULL),
        (&[r#",, ;; realm="stray" Bearer realm="{realm}",service="{service}""#], FULL),
        (&["", r#"Bearer realm="",service="x""#, r#"Bearer realm="{realm}",service="{service}""#], FULL),
        (
            &[r#"Bearer realm="{realm}?account=x&a=%20b",service="{service}""#],
            "/token?account=x&a= b&service=generic.test&scope=repository:team/app:pull",
        ),
        (&[r#"Bearer realm="{realm}?",service="{service}""#], FULL),
        (&[r#"Bearer realm="{realm}#fragment",service="{service}""#], FULL),
        (&[r#"Bearer realm=" {realm} ",service="{service}""#], FULL),
        (&[r#"Bearer realm="HTTP://AUTH.Generic.TEST:80/token",service="{service}""#], FULL),
        (&[r#"Bearer realm="//auth.generic.test/token",service="{service}""#], FULL),
    ] {
        leads_to(lines, target, "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_a_value_and_nothing_else() {
    for (service, shown) in [
        ("SUSE Linux Docker Registry", "SUSE Linux Docker Registry"),
        ("a&scope=repository:team/secret:pull,push", "a&scope=repository:team/secret:pull,push"),
        ("a#b?c=d", "a#b?c=d"),
        ("a%26scope%3Dx", "a%26scope%3Dx"),
        ("100% +1", "100% +1"),
    ] {
        let line = format!(r#"Bearer realm="{{realm}}",service="{service}""#);
        leads_to(&[&line], &format!("/token?service={shown}&scope=repository:team/app:pull"), service).await;
    }
    // One scope was asked for, whatever the service said.
    let sim = Sim::memory();
    let mut preset = Preset::generic();
    preset.tokens.service = Some("a&scope=repository:team/secret:pull,push".to_owned());
    let (_registry, regpass) = start(&sim, preset).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    let asked = sim.ledger().take().into_iter().find(|entry| entry.server == "token").unwrap();
    assert!(!asked.query.contains("&scope=repository%3Ateam%2Fsecret"), "{}", asked.query);
    assert_eq!(asked.query.matches("scope=").count(), 1, "{}", asked.query);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_relative_realm_is_the_registry_itself() {
    for realm in ["/token", "/v2/../token", "http://generic.test/token"] {
        let sim = Sim::memory();
        let mut preset = Preset::generic().challenges(&[&format!(r#"Bearer realm="{realm}",service="{{service}}""#)]);
        preset.tokens.place = TokenPlace::Registry;
        let (_registry, regpass) = start(&sim, preset).await;
        assert_eq!(regpass.get(APP).await.status, 200, "{realm}");
        let token = "token GET /token?service=generic.test&scope=repository:team/app:pull anonymous 200";
        sim.ledger().expect(&[REFUSED, token, SERVED]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_realm_that_is_no_place_is_refused_in_words() {
    for (realm, words) in [
        ("ftp://auth.generic.test/token", "its scheme is neither http nor https"),
        ("http://user:hunter2@auth.generic.test/token", "it carries user information before the host"),
        ("http:///token", "it names no host"),
        ("http://auth.generic.test:0/token", "its port is not a number from 1 to 65535"),
        ("http://auth.generic.test/to ken", "characters that no URL may have"),
        ("javascript:alert(1)", "not an absolute URL"),
    ] {
        let sim = Sim::memory();
        let preset = Preset::generic().challenges(&[&format!(r#"Bearer realm="{realm}",service="{{service}}""#)]);
        let (_registry, regpass) = start(&sim, preset).await;
        let refused = regpass.get(APP).await;
        assert_eq!(refused.verdict(), "502 DENIED", "{realm}");
        let message = refused.error().1;
        assert!(message.starts_with("generic.test: its realm") && message.contains(words), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        sim.ledger().expect(&[REFUSED]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_with_nothing_to_meet_costs_the_base_and_ends() {
    for lines in [&["Negotiate"][..], &[], &["Bearer"], &[r#"Bearer service="generic.test""#], &["\"\\"]] {
        let sim = Sim::memory();
        let (_registry, regpass) = start(&sim, Preset::generic().challenges(lines)).await;
        let reply = regpass.get(APP).await;
        assert_eq!(reply.verdict(), "403 DENIED", "{lines:?}");
        assert!(reply.error().1.contains("in no form that is known"), "not the login's fault: {reply:?}");
        sim.ledger().expect(&[REFUSED, "registry GET /v2/ anonymous 401"]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_on_another_status_is_decoration() {
    let sim = Sim::memory();
    let (registry, regpass) = start(&sim, Preset::distribution(Mode::Open)).await;
    registry.registry().inject(Fault::with_header("www-authenticate", r#"Bearer realm="http://evil.test/t""#));
    for (target, status) in [(APP, 200), ("/v2/team/app/manifests/none", 404)] {
        let reply = regpass.get(target).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (status, None));
        assert_eq!(sim.ledger().take().len(), 1);
    }
    registry.registry().inject(Fault::text(403, "no").times(1));
    assert_eq!(regpass.get(APP).await.status, StatusCode::FORBIDDEN);
    assert_eq!(sim.ledger().take().len(), 1);
    sim.finish();
}

/// What a token is asked for when the challenge names `scope` on a request of this method.
async fn asked(scope: &str, method: Method) -> String {
    let sim = Sim::memory();
    let line = format!(r#"Bearer realm="{{realm}}",service="{{service}}",scope="{scope}""#);
    let mut preset = Preset::generic().challenges(&[&line]);
    // Whoever has a token may: what is asked for is looked at here, not judged.
    preset.gate.scopes = std::sync::Arc::new(|_| Vec::new());
    let (_registry, regpass) = start(&sim, preset).await;
    assert_eq!(regpass.send(request(method, APP)).await.status, 200, "{scope}");
    let tokens: Vec<_> = sim.ledger().take().into_iter().filter(|entry| entry.server == "token").collect();
    assert_eq!(tokens.len(), 1, "{scope}");
    sim.finish();
    tokens[0].query_value("scope").unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_scope_is_believed_when_it_names_the_repository() {
    for (challenged, believed) in [
        ("repository:team/app:pull", "repository:team/app:pull"),
        ("repository:user/image:pull", "repository:team/app:pull"),
        ("aws", "repository:team/app:pull"),
        ("*", "repository:team/app:pull"),
        ("", "repository:team/app:pull"),
        ("repository:team/app", "repository:team/app:pull"),
        ("registry:catalog:*", "repository:team/app:pull"),
        ("repository:other/app:pull", "repository:team/app:pull"),
        ("repository:evil/team/app:pull", "repository:team/app:pull"),
        ("repository:pp:pull", "repository:team/app:pull"),
        ("repository:app:pull", "repository:app:pull"),
        ("repository:team/app:metadata_read,pull", "repository:team/app:pull,metadata_read"),
        ("repository:team/app:pull,push,delete,*", "repository:team/app:pull"),
        ("repository:a:pull repository:team/app:metadata_read", "repository:team/app:pull,metadata_read"),
        ("repository(plugin):team/app:pull", "repository(plugin):team/app:pull"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(asked(challenged, method).await, believed, "{challenged}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_challenge_taught_is_kept_for_its_repository() {
    let sim = Sim::memory();
    let mut preset = Preset::generic();
    // Lists tags to those only who may also read metadata, as ACR does.
    preset.gate.scopes = std::sync::Arc::new(|ask| {
        let actions: &[&str] = if ask.entry.path.ends_with("/list") { &["pull", "metadata_read"] } else { &["pull"] };
        ask.route.repository().map(|name| Scope::repository(name, actions)).into_iter().collect()
    });
    preset.tokens.grant =
        std::sync::Arc::new(|ask| Ok(ask.scopes.iter().filter_map(|one| Scope::parse(one)).collect()));
    preset.tokens.mint = Mint::Opaque;
    let (registry, regpass) = start(&sim, preset).await;
    registry.publish("team/tool", "1", &Image::single("tool", Family::Oci));

    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    let tags = "/v2/team/app/tags/list";
    assert_eq!(regpass.get(tags).await.status, 200);
    // The refusal says what is missing.
    sim.ledger().expect(&[
        "registry GET /v2/team/app/tags/list bearer#1 401",
        "token GET /token?service=generic.test&scope=repository:team/app:pull,metadata_read anonymous 200",
        "registry GET /v2/team/app/tags/list bearer#2 200",
    ]);
    for target in [tags, APP, tags, APP] {
        assert_eq!((regpass.get(target).await.status, sim.ledger().take().len()), (StatusCode::OK, 1), "{target}");
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_placeholder_never_becomes_a_request() {
    let sim = Sim::memory();
    let (registry, regpass) = start(&sim, Preset::ghcr()).await;
    registry.publish("team/app", "1", &Image::single("app", Family::Oci));
    assert_eq!(regpass.get("/v2/team/missing/manifests/1").await.verdict(), "403 DENIED");
    let asked = sim.ledger().take();
    assert!(asked.iter().all(|entry| !entry.query.contains("image")), "{asked:?}");
    sim.finish();
}

/// A scope that leaves out the first part of a name holds for neighbours until one of them shows otherwise.
#[tokio::test(start_paused = true)]
async fn one_odd_challenge_does_not_spoil_its_neighbours() {
    const SHORT: &str =
        r#"Bearer realm="http://auth.generic.test/token",service="generic.test",scope="repository:app:pull""#;
    let scope = |entries: Vec<Entry>| entries.iter().filter_map(|entry| entry.query_value("scope")).collect::<Vec<_>>();
    for is_refused in [false, true] {
        let sim = Sim::memory();
        let registry = sim.start(Preset::generic()).await;
        for name in ["team/app", "team/tool"] {
            registry.publish(name, "1", &Image::single("app", Family::Oci));
        }
        let regpass = Regpass::start(&sim, &only(&registry, ""));
        let odd = registry.registry().inject(Fault::challenge(&[SHORT]).path("team/app"));
        if is_refused {
            let denied = Fault::answer(Reply::new(403).json(r#"{"errors":[{"code":"DENIED","message":"no"}]}"#));
            registry
                .token()
                .inject(denied.when(|entry| entry.query_value("scope").as_deref() == Some("repository:tool:pull")));
            assert_eq!(regpass.get("/v2/team/app/manifests/1").await.status, 403);
        } else {
            assert_eq!(regpass.get("/v2/team/app/manifests/1").await.status, 403);
            odd.lift();
            advance(Duration::from_secs(6)).await;
            assert_eq!(regpass.get("/v2/team/app/manifests/1").await.status, 200);
            sim.ledger().take();
        }
        assert_eq!(regpass.get("/v2/team/tool/manifests/1").await.status, 200, "refused: {is_refused}");
        let asked = scope(sim.ledger().take());
        if !is_refused {
            assert_eq!(asked, ["repository:team/tool:pull"]);
        }
    }
}
