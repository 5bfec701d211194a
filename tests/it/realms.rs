//! Realms that a registry behind a TLS front writes as it sees itself: plain http, an internal port, or no port. The token
//! service is called at the registry's own origin, over TLS.

use tempfile::NamedTempFile;

use crate::credentials::password;
use crate::harness::{Regpass, Reply};
use crate::sim::{Image, ImageFormat, Preset, Registry, Rule, Sim, TokenHost};

const APP: &str = "/v2/team/app/manifests/1";
const CHALLENGED: &str = "registry GET /v2/team/app/manifests/1 anonymous 401";
const SERVED: &str = "registry GET /v2/team/app/manifests/1 bearer#1 200";
const PASSWORD: &str = "alices password";

/// A registry behind TLS fronts, called `registry.example` in the configuration, and regpass that reaches it there.
struct Fronted {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    _ca: NamedTempFile,
}

impl Fronted {
    /// `fronts` are the fronts' addresses with the servers behind them. `url` is the registry's in the configuration.
    async fn start(preset: Preset, fronts: &[(&str, &str)], url: &str, more: &str) -> Self {
        let sim = Sim::memory();
        // The fronts forward the client's `Host`, as reverse proxies do.
        sim.allow(Rule::ForeignHost);
        let registry = sim.start(preset).await;
        registry.add_user("alice", PASSWORD);
        registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
        let ca = NamedTempFile::new().unwrap();
        let pems: Vec<String> = fronts.iter().map(|(address, target)| sim.start_tls_front(address, target)).collect();
        std::fs::write(ca.path(), pems.concat()).unwrap();
        let text = format!(
            "default_registry = \"registry.example\"\n[registry.\"registry.example\"]\nurl = \"{url}\"\nca = \"{}\"\n{more}\n",
            ca.path().display()
        );
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, _ca: ca }
    }

    async fn get(&self) -> Reply {
        self.regpass.get(APP).await
    }

    /// The addresses that regpass has dialled, without those behind the fronts, each once.
    fn dialled(&self) -> Vec<String> {
        let behind = [self.registry.authority(), self.registry.token_service().authority()];
        let mut dialled = self.sim.network().dials();
        dialled.retain(|dial| !behind.iter().any(|host| *dial == format!("{host}:80")));
        dialled.sort_unstable();
        dialled.dedup();
        dialled
    }
}

/// A registry with its token service at `/token` of its own origin, whose challenges name this realm.
fn preset_with_realm(realm: &str) -> Preset {
    let mut preset = Preset::generic().realm(realm);
    preset.tokens.host = TokenHost::Registry;
    preset
}

#[tokio::test(start_paused = true)]
async fn realm_at_the_registrys_own_host_is_called_at_its_own_origin() {
    for (front, url) in [
        ("registry.example:443", "https://registry.example"),
        ("registry.example:8443", "https://registry.example:8443"),
        ("internal.example:8443", "https://internal.example:8443"),
    ] {
        for realm in [
            "/token",
            "http://registry.example/token",
            "http://Registry.Example:80/token",
            "http://registry.example:5000/token",
            "http://registry.example./token",
            "https://registry.example/token",
            "https://registry.example.:443/token",
            "//registry.example/token",
        ] {
            for (more, authorization) in [
                (String::new(), "anonymous"),
                (password("alice", PASSWORD), "basic:alice"),
                (format!("realm_hosts = [\"registry.example:5000\"]\n{}", password("alice", PASSWORD)), "basic:alice"),
            ] {
                let fronted = Fronted::start(preset_with_realm(realm), &[(front, "generic.test")], url, &more).await;
                let reply = fronted.get().await;
                assert_eq!(reply.status, 200, "{url} {realm} {more}: {reply:?}");
                let token =
                    format!("token GET /token?service=generic.test&scope=repository:team/app:pull {authorization} 200");
                fronted.sim.ledger().expect(&[CHALLENGED, &token, SERVED]);
                assert_eq!(fronted.dialled(), [front], "{realm}");
                assert_eq!(fronted.get().await.status, 200);
                fronted.sim.ledger().expect(&[SERVED]);
                fronted.sim.finish();
            }
        }
    }
}

/// Another https port of the registry's host may be a token service of its own, such as `docker_auth`.
#[tokio::test(start_paused = true)]
async fn token_service_at_another_port_of_the_registrys_host_is_found_if_the_origin_has_none() {
    let fronts = [("registry.example:443", "generic.test"), ("registry.example:5001", "auth.generic.test")];
    let token = |authorization: &str| {
        format!("token GET /token?service=generic.test&scope=repository:team/app:pull {authorization} 200")
    };
    let start = async |more: &str| {
        let preset = Preset::generic().realm("https://registry.example:5001/token");
        let fronted = Fronted::start(preset, &fronts, "https://registry.example", more).await;
        // The registry itself has no path `/token`.
        fronted.sim.allow(Rule::UnknownPath);
        fronted
    };
    let fronted = start("").await;
    assert_eq!(fronted.get().await.status, 200);
    let lines = fronted.sim.ledger().lines();
    assert!(
        lines.len() == 4 && lines[1].starts_with("registry GET /token?") && lines[1].ends_with(" 404"),
        "{lines:?}"
    );
    assert_eq!(lines[2..], [token("anonymous"), SERVED.to_owned()]);
    let status = fronted.regpass.status().await;
    let entry = serde_json::json!({ "address": "registry.example:5001", "purpose": "token service", "seen": true });
    assert!(status["registries"][0]["egress"].as_array().unwrap().contains(&entry), "{status:#}");
    // The next token is requested there at once.
    fronted.sim.ledger().take();
    fronted.registry.revoke_tokens();
    assert_eq!(fronted.get().await.status, 200);
    let lines = fronted.sim.ledger().lines();
    assert_eq!(lines[1..], [token("anonymous"), SERVED.replace("#1", "#2")], "{lines:?}");
    fronted.sim.finish();

    // A credential goes there only if the operator lists it.
    let credential = password("alice", PASSWORD);
    let fronted = start(&credential).await;
    let rejected = fronted.get().await;
    assert_eq!(rejected.status_and_code(), "502 DENIED");
    assert!(rejected.error().1.contains("add `registry.example:5001` to the registry's `realm_hosts`"), "{rejected:?}");
    assert_eq!(fronted.sim.ledger().count("token", |_| true), 0);
    fronted.sim.finish();
    for listed in ["registry.example:5001", "registry.example", "https://registry.example:5001"] {
        let fronted = start(&format!("realm_hosts = [\"{listed}\"]\n{credential}")).await;
        assert_eq!(fronted.get().await.status, 200, "{listed}");
        fronted.sim.ledger().expect(&[CHALLENGED, &token("basic:alice"), SERVED]);
        fronted.sim.finish();
    }
}

/// The internal port of an https realm may be unreachable from outside: nothing listens there.
#[tokio::test(start_paused = true)]
async fn internal_port_of_a_listed_https_realm_is_replaced_by_the_origin() {
    for (more, authorization) in [
        (String::new(), "anonymous"),
        (password("alice", PASSWORD), "basic:alice"),
        (format!("realm_hosts = [\"registry.example\"]\n{}", password("alice", PASSWORD)), "basic:alice"),
    ] {
        let preset = preset_with_realm("https://registry.example:8081/token");
        let front = [("registry.example:443", "generic.test")];
        let fronted = Fronted::start(preset, &front, "https://registry.example", &more).await;
        let reply = fronted.get().await;
        assert_eq!(reply.status, 200, "{more}: {reply:?}");
        let token = format!("token GET /token?service=generic.test&scope=repository:team/app:pull {authorization} 200");
        fronted.sim.ledger().expect(&[CHALLENGED, &token, SERVED]);
        fronted.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn http_realm_at_a_listed_host_of_an_https_registry_is_called_by_https() {
    for (realm, listed, front) in [
        ("http://login.example/token", "login.example", "login.example:443"),
        ("http://login.example:8443/token", "login.example:8443", "login.example:8443"),
    ] {
        for (more, authorization) in [(String::new(), "anonymous"), (password("alice", PASSWORD), "basic:alice")] {
            let fronts = [("registry.example:443", "generic.test"), (front, "auth.generic.test")];
            let more = format!("realm_hosts = [\"{listed}\"]\n{more}");
            let preset = Preset::generic().realm(realm);
            let fronted = Fronted::start(preset, &fronts, "https://registry.example", &more).await;
            let reply = fronted.get().await;
            assert_eq!(reply.status, 200, "{realm}: {reply:?}");
            let token =
                format!("token GET /token?service=generic.test&scope=repository:team/app:pull {authorization} 200");
            fronted.sim.ledger().expect(&[CHALLENGED, &token, SERVED]);
            assert_eq!(fronted.dialled(), [front, "registry.example:443"]);
            fronted.sim.finish();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn http_realm_at_another_host_of_an_https_registry_is_not_dialled() {
    for more in [String::new(), password("alice", PASSWORD)] {
        for realm in
            ["http://login.example/token", "http://registry.example.evil.example/token", "http://10.0.0.1/token"]
        {
            let front = [("registry.example:443", "generic.test")];
            let fronted =
                Fronted::start(Preset::generic().realm(realm), &front, "https://registry.example", &more).await;
            let rejected = fronted.get().await;
            assert_eq!(rejected.status_and_code(), "502 DENIED", "{realm}");
            let message = rejected.error().1;
            assert!(message.contains("plain http") && message.contains("`realm_hosts`"), "{message}");
            fronted.sim.ledger().expect(&[CHALLENGED]);
            assert_eq!(fronted.dialled(), ["registry.example:443"]);
            fronted.sim.finish();
        }
    }
}
