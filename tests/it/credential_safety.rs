//! Credentials are sent only to their registry and its trusted token services, and appear in no reply, metric or log.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request};

use crate::credentials::password;
use crate::harness::{Regpass, request, single_registry_config, with_header};
use crate::log::Log;
use crate::sim::{AuthMode, Fault, Image, ImageFormat, Preset, Registry, Reply, Role, Sim};

const APP: &str = "/v2/team/app/manifests/1";
const PASSWORD: &str = "correct horse/battery+staple";
const CHALLENGED: &str = "registry GET /v2/team/app/manifests/1 anonymous 401";

async fn start(sim: &Sim, preset: Preset) -> Registry {
    let registry = sim.start(preset).await;
    registry.add_user("alice", PASSWORD);
    registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
    registry
}

fn credential() -> String {
    password("alice", PASSWORD)
}

/// A configuration with this registry only. Its table has `more` and these `realm_hosts`, which are strings in TOML
/// separated by commas.
fn config(registry: &Registry, realm_hosts: &str, more: &str) -> String {
    let (host, url) = (registry.authority(), registry.origin());
    format!(
        "default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{url}\"\nrealm_hosts = [{realm_hosts}]\n{more}\n"
    )
}

/// Starts a server that belongs to no registry, so that it must receive no credential. Its ledger entries start with
/// `stranger`.
async fn start_stranger(sim: &Sim, host: &str) {
    let handler = Arc::new(|_| async { Reply::new(200).json(r#"{"token":"stolen"}"#) }.boxed());
    sim.serve(host, Role::Other("stranger"), handler).await;
}

#[tokio::test(start_paused = true)]
async fn unlisted_realm_without_tls_is_not_dialled() {
    for more in [String::new(), credential()] {
        for realm_hosts in [
            "",
            "\"auth.generic.test:8080\"",
            "\"https://auth.generic.test\"",
            "\"https://auth.generic.test:80\"",
            "\"generic.test\"",
            "\"h.generic.test\"",
            "\"test\"",
        ] {
            let sim = Sim::memory();
            let registry = start(&sim, Preset::generic()).await;
            let regpass = Regpass::start(&sim, &config(&registry, realm_hosts, &more));
            for _ in 0..2 {
                let rejected = regpass.get(APP).await;
                assert_eq!(rejected.status_and_code(), "502 DENIED", "{realm_hosts}");
                let message = rejected.error().1;
                assert!(message.contains("add `auth.generic.test`") && message.contains("`realm_hosts`"), "{message}");
                assert_eq!(rejected.json()["errors"][0]["detail"]["step"], "challenge");
                sim.ledger().expect(&[CHALLENGED]);
            }
            assert!(sim.network().dials().iter().all(|dial| dial == "generic.test:80"), "{:?}", sim.network().dials());
            sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn listed_realm_receives_the_credential() {
    for realm_hosts in
        ["\"auth.generic.test\"", "\"auth.generic.test:80\"", "\"AUTH.generic.test\"", "\"http://auth.generic.test\""]
    {
        let sim = Sim::memory();
        let registry = start(&sim, Preset::generic()).await;
        let regpass = Regpass::start(&sim, &config(&registry, realm_hosts, &credential()));
        assert_eq!(regpass.get(APP).await.status, 200, "{realm_hosts}");
        assert_eq!(sim.ledger().count("token", |entry| entry.authorization.to_string() == "basic:alice"), 1);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn realm_hosts_of_one_registry_do_not_apply_to_another() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    // The same registry under two names; only the first has `realm_hosts`.
    let second = format!("[registry.\"second.test\"]\nurl = \"{}\"\n{}\n", registry.origin(), credential());
    let regpass = Regpass::start(&sim, &format!("{}{second}", single_registry_config(&registry, &credential())));
    assert_eq!(regpass.get(APP).await.status, 200);
    sim.ledger().take();
    assert_eq!(regpass.get("/v2/second.test/team/app/manifests/1").await.status_and_code(), "502 DENIED");
    sim.ledger().expect(&[CHALLENGED]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn unlisted_tls_realm_is_used_only_without_a_credential() {
    for (more, verdict, dialled) in [(String::new(), "502 UNAVAILABLE", true), (credential(), "502 DENIED", false)] {
        let sim = Sim::memory();
        let mut preset = Preset::generic();
        preset.tokens.realm = Some("https://elsewhere.test/token".into());
        let registry = start(&sim, preset).await;
        let regpass = Regpass::start(&sim, &config(&registry, "", &more));
        let failed = regpass.get(APP).await;
        assert_eq!(failed.status_and_code(), verdict);
        assert_eq!(sim.network().dials().contains(&"elsewhere.test:443".to_owned()), dialled);
        if !dialled {
            let message = failed.error().1;
            assert!(message.contains("add `elsewhere.test` to the registry's `realm_hosts`"), "{message}");
        }
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_of_a_token_service_are_not_followed() {
    let identity = r#"credential = { source = "identity", token = "identity-token" }"#.to_owned();
    for more in [String::new(), credential(), identity] {
        for status in [301, 302, 303, 307, 308] {
            for target in ["http://stranger.test/token", "/token?again", "//stranger.test/"] {
                let sim = Sim::memory();
                let registry = start(&sim, Preset::generic()).await;
                start_stranger(&sim, "stranger.test").await;
                registry.token_service().inject(Fault::redirect(status, target));
                let regpass = Regpass::start(&sim, &single_registry_config(&registry, &more));
                assert_eq!(regpass.get(APP).await.status_and_code(), "502 UNAVAILABLE", "{status} {target}");
                assert_eq!(sim.ledger().take().len(), 2, "{status} {target}");
                sim.finish();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn token_is_not_sent_to_redirect_targets() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    start_stranger(&sim, "stranger.test").await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &credential()));
    registry.api().inject(
        Fault::redirect(307, "http://stranger.test/m")
            .when(|entry| entry.authorization.to_string().starts_with("bearer")),
    );
    regpass.get(APP).await;
    sim.ledger().expect(&[
        CHALLENGED,
        "token GET /token?service=generic.test&scope=repository:team/app:pull basic:alice 200",
        "registry GET /v2/team/app/manifests/1 bearer#1 307",
        "stranger GET /m anonymous 200",
    ]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn client_authorization_and_cookies_are_not_forwarded() {
    let sim = Sim::memory();
    let registry = start(&sim, Preset::generic()).await;
    sim.forbid_secret("client-secret");
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &credential()));
    let basic = format!("Basic {}", BASE64_STANDARD.encode("me:client-secret"));
    for (name, value) in [
        ("authorization", basic.as_str()),
        ("authorization", "Bearer client-secret"),
        ("proxy-authorization", &basic),
        ("cookie", "session=client-secret"),
        ("x-registry-auth", "client-secret"),
        ("x-forwarded-for", "client-secret"),
    ] {
        let request: Request<Bytes> = with_header(request(Method::GET, APP), name, value);
        assert_eq!(regpass.send(request).await.status, 200, "{name}");
    }
    sim.finish();
}

/// Real sockets are needed: the in-memory network has no addresses that could be checked.
#[tokio::test]
async fn realm_at_a_metadata_or_private_address_is_not_dialled() {
    for (realm, class) in [
        ("http://169.254.169.254/latest", "link-local or metadata"),
        ("http://2852039166/latest", "link-local or metadata"),
        ("http://0xa9fea9fe/latest", "link-local or metadata"),
        ("http://100.100.100.200/", "link-local or metadata"),
        ("http://168.63.129.16/", "link-local or metadata"),
        ("http://0.0.0.0/", "reserved"),
        ("http://0/", "reserved"),
        ("http://10.0.0.1/", "private"),
        ("http://192.168.1.1:8080/", "private"),
        ("http://172.16.0.1/", "private"),
        ("http://100.64.0.1/", "private"),
        ("https://169.254.169.254/", "link-local or metadata"),
        ("https://10.0.0.1/", "private"),
        ("https://[::ffff:169.254.169.254]/", "link-local or metadata"),
        ("https://[fe80::1]/", "link-local or metadata"),
        ("https://[fd00:ec2::254]/", "link-local or metadata"),
        ("https://[fd12::1]/", "private"),
    ] {
        let sim = Sim::loopback();
        let mut preset = Preset::generic();
        preset.tokens.realm = Some(realm.into());
        let registry = start(&sim, preset).await;
        let host = realm.split('/').nth(2).unwrap();
        // `realm_hosts` cannot allow these addresses either. For IPv6 it stays empty, and there is no credential.
        let (hosts, more) =
            if host.starts_with('[') { (String::new(), String::new()) } else { (format!("\"{host}\""), credential()) };
        let (alias, config) = ("alias = \"r\"", config(&registry, &hosts, &more));
        let regpass = Regpass::start(&sim, &format!("{config}{alias}\n"));
        let rejected = regpass.get(APP).await;
        assert_eq!(rejected.status_and_code(), "502 UNAVAILABLE", "{realm}");
        let message = rejected.error().1;
        assert!(message.contains(class), "{realm}: {message}");
        assert_eq!(rejected.json()["errors"][0]["detail"]["step"], "token", "{realm}");
        assert_eq!(sim.ledger().count("token", |_| true), 0);
        sim.finish();
    }
}

/// All secrets of a simulation, in every encoding in which they were sent.
fn secrets(sim: &Sim) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), "identity-token".to_owned()];
    secrets.push(BASE64_STANDARD.encode(format!("alice:{PASSWORD}")));
    secrets.push(BASE64_STANDARD.encode("<token>:identity-token"));
    secrets.push("correct+horse%2Fbattery%2Bstaple".to_owned());
    secrets.push("correct%20horse%2Fbattery%2Bstaple".to_owned());
    for entry in sim.ledger().entries() {
        let header = entry.headers.get("authorization").and_then(|value| value.to_str().ok());
        secrets.extend(header.and_then(|header| header.split_once(' ')).map(|(_, secret)| secret.to_owned()));
    }
    secrets
}

/// An error document, or plain text if `plain`, that repeats the authorization and the query of the request. It replaces the
/// replies to requests with an authorization and to POST.
fn echo(status: u16, plain: bool) -> Fault {
    Fault::alter(move |entry, _| {
        let authorization = entry.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let message = format!("you sent {} and {}", authorization.unwrap_or_default(), entry.query);
        let detail = serde_json::json!({ "headers": [message.clone()] }).to_string();
        if plain { Reply::new(status).text(&message) } else { Reply::error_detail(status, "BROKEN", &message, &detail) }
    })
    .when(|entry| entry.headers.contains_key("authorization") || entry.method == Method::POST)
}

#[tokio::test(start_paused = true)]
async fn echoed_secrets_are_redacted_everywhere() {
    let identity = r#"credential = { source = "identity", token = "identity-token" }"#;
    for (preset, credential) in [
        (Preset::generic(), credential()),
        (Preset::generic(), identity.to_owned()),
        (Preset::distribution(AuthMode::Htpasswd), credential()),
    ] {
        for status in [400, 401, 403, 404, 429, 500, 503] {
            for (at_token_service, plain) in [(true, true), (true, false), (false, true), (false, false)] {
                let log = Log::capture();
                let sim = Sim::memory();
                let registry = start(&sim, preset.clone()).await;
                registry.users().add_identity_token("alice", "identity-token");
                let server = if at_token_service { registry.token_service() } else { registry.api() };
                let regpass = Regpass::start(&sim, &single_registry_config(&registry, &credential));
                let fault = server.inject(echo(status, plain));
                let failed = [regpass.get(APP).await, regpass.get(APP).await];
                fault.remove();
                regpass.get(APP).await;
                let outputs = [
                    format!("{failed:?}"),
                    regpass::admin::gauges::metrics(&regpass.proxy),
                    log.lines("").join("\n"),
                    format!("{:?}", regpass.proxy),
                    format!("{:#?}", regpass.proxy.routes.load()),
                ];
                assert!(log.events("request").len() >= 3, "the log was not captured: {:#?}", log.lines(""));
                for secret in secrets(&sim) {
                    for text in &outputs {
                        assert!(!text.contains(&secret), "{status} {at_token_service}: {secret} in {text}");
                    }
                }
                sim.ledger().take();
                sim.finish();
            }
        }
    }
}
