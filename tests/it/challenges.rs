//! `WWW-Authenticate` headers: which token request a challenge leads to.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::advance;

use crate::harness::{Regpass, request, single_registry_config};
use crate::sim::{
    AuthMode, Entry, Fault, Image, ImageFormat, Preset, Registry, Reply, Scope, Sim, TokenFormat, TokenHost,
};

const APP: &str = "/v2/team/app/manifests/1";
const CHALLENGED: &str = "registry GET /v2/team/app/manifests/1 anonymous 401";
const SERVED: &str = "registry GET /v2/team/app/manifests/1 bearer#1 200";

async fn start(sim: &Sim, preset: Preset) -> (Registry, Regpass) {
    let registry = sim.start(preset).await;
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    let regpass = Regpass::start(sim, &single_registry_config(&registry, ""));
    (registry, regpass)
}

/// Asserts that a pull succeeds after the challenge in these header lines and one token request for `target`. The simulated
/// registry's challenges name `service`, or its host if `service` is empty.
async fn assert_token_request(lines: &[&str], target: &str, service: &str) {
    let sim = Sim::memory();
    let mut preset = Preset::generic().challenges(lines);
    if !service.is_empty() {
        preset.tokens.service = Some(service.to_owned());
    }
    let (_registry, regpass) = start(&sim, preset).await;
    let reply = regpass.get(APP).await;
    assert_eq!(reply.status, 200, "{lines:?}: {reply:?}");
    sim.ledger().expect(&[CHALLENGED, &format!("token GET {target} anonymous 200"), SERVED]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn unusual_challenge_forms_are_understood() {
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
        assert_token_request(lines, target, "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn service_is_percent_encoded_and_adds_no_parameter() {
    for (service, decoded) in [
        ("SUSE Linux Docker Registry", "SUSE Linux Docker Registry"),
        ("a&scope=repository:team/secret:pull,push", "a&scope=repository:team/secret:pull,push"),
        ("a#b?c=d", "a#b?c=d"),
        ("a%26scope%3Dx", "a%26scope%3Dx"),
        ("100% +1", "100% +1"),
    ] {
        let line = format!(r#"Bearer realm="{{realm}}",service="{service}""#);
        assert_token_request(&[&line], &format!("/token?service={decoded}&scope=repository:team/app:pull"), service)
            .await;
    }
    // The service adds no second scope to the request.
    let sim = Sim::memory();
    let mut preset = Preset::generic();
    preset.tokens.service = Some("a&scope=repository:team/secret:pull,push".to_owned());
    let (_registry, regpass) = start(&sim, preset).await;
    assert_eq!(regpass.get(APP).await.status, 200);
    let request = sim.ledger().take().into_iter().find(|entry| entry.server == "token").unwrap();
    assert!(!request.query.contains("&scope=repository%3Ateam%2Fsecret"), "{}", request.query);
    assert_eq!(request.query.matches("scope=").count(), 1, "{}", request.query);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn relative_realm_is_resolved_against_the_registry() {
    for realm in ["/token", "/v2/../token", "http://generic.test/token"] {
        let sim = Sim::memory();
        let mut preset = Preset::generic().challenges(&[&format!(r#"Bearer realm="{realm}",service="{{service}}""#)]);
        preset.tokens.host = TokenHost::Registry;
        let (_registry, regpass) = start(&sim, preset).await;
        assert_eq!(regpass.get(APP).await.status, 200, "{realm}");
        let token = "token GET /token?service=generic.test&scope=repository:team/app:pull anonymous 200";
        sim.ledger().expect(&[CHALLENGED, token, SERVED]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_realm_is_rejected_with_the_reason() {
    for (realm, reason) in [
        ("ftp://auth.generic.test/token", "its scheme is neither http nor https"),
        ("http://user:hunter2@auth.generic.test/token", "it contains user information before the host"),
        ("http:///token", "it has no host"),
        ("http://auth.generic.test:0/token", "its port is not a number from 1 to 65535"),
        ("http://auth.generic test/token", "characters that are not allowed in a URL"),
        ("javascript:alert(1)", "not an absolute URL"),
    ] {
        let sim = Sim::memory();
        let preset = Preset::generic().challenges(&[&format!(r#"Bearer realm="{realm}",service="{{service}}""#)]);
        let (_registry, regpass) = start(&sim, preset).await;
        let rejected = regpass.get(APP).await;
        assert_eq!(rejected.status_and_code(), "502 DENIED", "{realm}");
        let message = rejected.error().1;
        assert!(message.starts_with("generic.test: its realm") && message.contains(reason), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        sim.ledger().expect(&[CHALLENGED]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn challenge_without_a_realm_is_denied_after_one_probe() {
    for lines in [&["Negotiate"][..], &[], &["Bearer"], &[r#"Bearer service="generic.test""#], &["\"\\"]] {
        let sim = Sim::memory();
        let (_registry, regpass) = start(&sim, Preset::generic().challenges(lines)).await;
        let reply = regpass.get(APP).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{lines:?}");
        assert!(
            reply.error().1.contains("unsupported kind of authorization"),
            "the error blames the credential instead of the challenge: {reply:?}"
        );
        sim.ledger().expect(&[CHALLENGED, "registry GET /v2/ anonymous 401"]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn challenge_on_another_status_than_401_is_ignored() {
    let sim = Sim::memory();
    let (registry, regpass) = start(&sim, Preset::distribution(AuthMode::Open)).await;
    registry.api().inject(Fault::with_header("www-authenticate", r#"Bearer realm="http://evil.test/t""#));
    for (target, status) in [(APP, 200), ("/v2/team/app/manifests/none", 404)] {
        let reply = regpass.get(target).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (status, None));
        assert_eq!(sim.ledger().take().len(), 1);
    }
    registry.api().inject(Fault::text(403, "no").times(1));
    assert_eq!(regpass.get(APP).await.status, StatusCode::FORBIDDEN);
    assert_eq!(sim.ledger().take().len(), 1);
    sim.finish();
}

/// The scope that regpass requests when the challenge to a request with this method names `scope`.
async fn requested_scope(scope: &str, method: Method) -> String {
    let sim = Sim::memory();
    let line = format!(r#"Bearer realm="{{realm}}",service="{{service}}",scope="{scope}""#);
    let mut preset = Preset::generic().challenges(&[&line]);
    // Every token is accepted, whatever its scope.
    preset.access.required_scopes = std::sync::Arc::new(|_| Vec::new());
    let (_registry, regpass) = start(&sim, preset).await;
    assert_eq!(regpass.send(request(method, APP)).await.status, 200, "{scope}");
    let tokens: Vec<_> = sim.ledger().take().into_iter().filter(|entry| entry.server == "token").collect();
    assert_eq!(tokens.len(), 1, "{scope}");
    sim.finish();
    tokens[0].query_value("scope").unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn challenged_scope_is_requested_only_if_it_names_the_repository() {
    for (challenged, requested) in [
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
            assert_eq!(requested_scope(challenged, method).await, requested, "{challenged}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn challenged_scope_is_remembered_for_its_repository() {
    let sim = Sim::memory();
    let mut preset = Preset::generic();
    // Tag lists need the action `metadata_read` as well, as at ACR.
    preset.access.required_scopes = std::sync::Arc::new(|request| {
        let actions: &[&str] =
            if request.entry.path.ends_with("/list") { &["pull", "metadata_read"] } else { &["pull"] };
        request.route.repository().map(|name| Scope::repository(name, actions)).into_iter().collect()
    });
    preset.tokens.grant =
        std::sync::Arc::new(|request| Ok(request.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect()));
    preset.tokens.format = TokenFormat::Opaque;
    let (registry, regpass) = start(&sim, preset).await;
    registry.publish("team/tool", "1", &Image::single("tool", ImageFormat::Oci));

    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    let tags = "/v2/team/app/tags/list";
    assert_eq!(regpass.get(tags).await.status, 200);
    // The challenge names the missing action.
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
async fn placeholder_scope_is_never_requested() {
    let sim = Sim::memory();
    let (registry, regpass) = start(&sim, Preset::ghcr()).await;
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    assert_eq!(regpass.get("/v2/team/missing/manifests/1").await.status_and_code(), "403 DENIED");
    let requests = sim.ledger().take();
    assert!(requests.iter().all(|entry| !entry.query.contains("image")), "{requests:?}");
    sim.finish();
}

/// After a challenge whose scope omits the first segment of a repository name, regpass omits it for
/// the other repositories below that segment, too, until a denial shows that this is wrong.
#[tokio::test(start_paused = true)]
async fn scope_inferred_from_a_neighbour_is_reverted() {
    const SHORT: &str =
        r#"Bearer realm="http://auth.generic.test/token",service="generic.test",scope="repository:app:pull""#;
    let scopes =
        |entries: Vec<Entry>| entries.iter().filter_map(|entry| entry.query_value("scope")).collect::<Vec<_>>();
    for is_denied in [false, true] {
        let sim = Sim::memory();
        let registry = sim.start(Preset::generic()).await;
        for name in ["team/app", "team/tool"] {
            registry.publish(name, "1", &Image::single("app", ImageFormat::Oci));
        }
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
        let odd = registry.api().inject(Fault::challenge(&[SHORT]).path("team/app"));
        if is_denied {
            let denied = Fault::answer(Reply::new(403).json(r#"{"errors":[{"code":"DENIED","message":"no"}]}"#));
            registry
                .token_service()
                .inject(denied.when(|entry| entry.query_value("scope").as_deref() == Some("repository:tool:pull")));
            assert_eq!(regpass.get("/v2/team/app/manifests/1").await.status, 403);
        } else {
            assert_eq!(regpass.get("/v2/team/app/manifests/1").await.status, 403);
            odd.remove();
            advance(Duration::from_secs(6)).await;
            assert_eq!(regpass.get("/v2/team/app/manifests/1").await.status, 200);
            sim.ledger().take();
        }
        assert_eq!(
            regpass.get("/v2/team/tool/manifests/1").await.status,
            200,
            "the token service denies the inferred scope: {is_denied}"
        );
        let requested = scopes(sim.ledger().take());
        if !is_denied {
            assert_eq!(requested, ["repository:team/tool:pull"]);
        }
    }
}
