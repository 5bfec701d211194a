//! Reload of the configuration: a registry keeps its challenge and its tokens unless its URL, its credential or the hosts
//! that may get the credential change.

use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use http::Method;
use regpass::proxy::routes::Routes;
use serde_json::Value;
use tokio::time::sleep;

use crate::harness::{Regpass, registry_table, request, single_registry_config};
use crate::sim::{Fault, Image, ImageFormat, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";

/// The configuration key `credential` of alice with this password.
fn alice(password: &str) -> String {
    crate::credentials::password("alice", password)
}

struct Setup {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
}

impl Setup {
    /// A registry with a private image, and regpass with the credential of alice. `more` is added to its table.
    async fn start(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::generic()).await;
        let image = Image::single("app", ImageFormat::Oci);
        registry.add_user("alice", "one");
        registry.publish_private("team/app", "1", &image);
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, &format!("{}\n{more}", alice("one"))));
        Self { sim, registry, regpass, image }
    }

    /// As [`start`](Self::start), after a first pull.
    async fn start_warm() -> Self {
        let setup = Self::start("").await;
        setup.assert_pull_succeeds().await;
        setup
    }

    fn reconfigure(&self, more: &str) {
        self.regpass.reconfigure(&single_registry_config(&self.registry, more));
    }

    async fn assert_pull_succeeds(&self) {
        let reply = self.regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Changes the URL in the registry's table to that of another registry. An empty `credential` configures none.
    fn reconfigure_at(&self, other: &Registry, credential: &str) {
        let host = self.registry.authority();
        let table = registry_table(host, other, credential);
        self.regpass.reconfigure(&format!("default_registry = \"{host}\"\n{table}"));
    }

    /// Pulls for 20 minutes, which is longer than a token is valid, and asserts that no pull waits for a token.
    async fn assert_tokens_are_renewed(&self) {
        for _ in 0..60 {
            sleep(Duration::from_secs(20)).await;
            let reply = self.regpass.get(APP).await;
            assert_eq!((reply.status.as_u16(), reply.authorization_source()), (200, "cached"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_and_challenge_survive_an_unrelated_change() {
    let setup = Setup::start_warm().await;
    let unchanged = alice("one");
    for more in [
        unchanged.clone(),
        format!("{unchanged}\nallow = [\"pull\", \"push\"]"),
        format!("{unchanged}\nrepositories = [\"team/**\"]"),
        format!("{unchanged}\nredirects = \"pass\"\nalias = \"r\""),
        format!("{unchanged}\n[registry.\"another.example\"]"),
        format!(
            "{unchanged}\n[[registry.\"{}\".identity]]\nrepositories = [\"x/**\"]\ncredential = {{ source = \"anonymous\" }}",
            setup.registry.authority()
        ),
    ] {
        setup.sim.ledger().take();
        setup.reconfigure(&more);
        setup.assert_pull_succeeds().await;
        setup.sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    }
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_after_a_change_of_permissions() {
    let setup = Setup::start_warm().await;
    setup.reconfigure(&format!("{}\nallow = [\"pull\", \"push\"]", alice("one")));
    setup.sim.ledger().take();
    setup.assert_tokens_are_renewed().await;
    assert_eq!(setup.sim.ledger().count("registry", |entry| entry.status.is_some_and(|status| status == 401)), 0);
    assert!(setup.sim.ledger().count("token", |_| true) > 1, "the token was renewed");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn changed_credential_replaces_the_old_one_at_once() {
    let setup = Setup::start_warm().await;
    setup.registry.add_user("alice", "two");
    setup.sim.ledger().take();
    setup.reconfigure(&alice("two"));
    setup.assert_pull_succeeds().await;
    setup.sim.ledger().expect(&[
        "token GET /token?service=generic.test&scope=repository:team/app:pull basic:alice 200",
        "registry GET /v2/team/app/manifests/1 bearer#2 200",
    ]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn cached_denial_does_not_apply_to_a_changed_credential() {
    let setup = Setup::start("").await;
    setup.reconfigure(&alice("wrong"));
    assert_eq!(setup.regpass.get(APP).await.status_and_code(), "403 DENIED");
    setup.reconfigure(&alice("one"));
    setup.assert_pull_succeeds().await;
}

#[tokio::test(start_paused = true)]
async fn request_in_flight_completes_after_its_registry_was_removed() {
    let setup = Setup::start_warm().await;
    setup.registry.api().inject(Fault::delay(Duration::from_secs(3)).times(1));
    let blob = format!("/v2/team/app/blobs/{}", setup.image.blobs[0].digest);
    let (reply, ()) = tokio::join!(setup.regpass.get(&blob), async {
        sleep(Duration::from_secs(1)).await;
        setup.regpass.reconfigure("default_registry = \"another.example\"\n[registry.\"another.example\"]");
    });
    assert_eq!((reply.status.as_u16(), reply.complete), (200, true));
    let removed = setup.regpass.get(&format!("/v2/{}/team/app/manifests/1", setup.registry.authority())).await;
    assert_eq!(removed.status_and_code(), "404 NAME_UNKNOWN");
    setup.sim.finish();
}

/// The active configuration decides where credentials are sent, also for renewals of cached tokens.
#[tokio::test(start_paused = true)]
async fn realm_removed_from_realm_hosts_receives_no_credential() {
    let setup = Setup::start_warm().await;
    // The token has been used since it was fetched, so it would be renewed.
    sleep(Duration::from_secs(10)).await;
    setup.assert_pull_succeeds().await;
    setup.sim.ledger().take();
    let (host, url) = (setup.registry.authority(), setup.registry.origin());
    setup.regpass.reconfigure(&format!(
        "default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{url}\"\n{}",
        alice("one")
    ));
    let reply = setup.regpass.get(APP).await;
    assert!(reply.status.is_server_error() && reply.error().1.contains("realm_hosts"), "{reply:?}");
    for _ in 0..60 {
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(setup.sim.ledger().count("token", |_| true), 0, "{:?}", setup.sim.ledger().lines());
}

#[tokio::test(start_paused = true)]
async fn upload_continues_after_a_change_of_keys_and_spool() {
    let setup = Setup::start("allow = [\"pull\", \"push\"]").await;
    let start = setup.regpass.send(request(Method::POST, "/v2/team/app/blobs/uploads/")).await;
    assert_eq!(start.status, 202, "{start:?}");
    let location = start.header("location").unwrap().to_owned();
    let allowed = format!("{}\nallow = [\"pull\", \"push\"]", alice("one"));
    let keyed = format!(
        "upload_key = [\"a key of more than sixteen bytes\"]\nupload_spool = \"1MiB\"\n{}",
        single_registry_config(&setup.registry, &allowed)
    );
    setup.regpass.reconfigure(&keyed);
    let status = setup.regpass.get(&location).await;
    assert_eq!(status.status, 204, "{status:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn registry_with_a_changed_url_is_discovered_again() {
    let setup = Setup::start_warm().await;
    let other = setup.sim.start(Preset::generic().named("other")).await;
    other.publish("team/app", "1", &setup.image);
    setup.sim.ledger().take();
    setup.reconfigure_at(&other, "");
    setup.assert_pull_succeeds().await;
    let servers: Vec<String> = setup.sim.ledger().take().into_iter().map(|entry| entry.server).collect();
    assert!(servers.iter().all(|server| server.contains("other")), "{servers:?}");
}

/// A rejection by the registry at one URL says nothing about the registry at another.
#[tokio::test(start_paused = true)]
async fn credential_rejected_at_the_old_url_is_tried_at_the_new_one() {
    let setup = Setup::start("").await;
    setup.registry.publish("team/tool", "1", &setup.image);
    let other = setup.sim.start(Preset::generic().named("other")).await;
    other.add_user("alice", "two");
    other.publish_private("team/app", "1", &setup.image);
    setup.reconfigure(&alice("two"));
    assert_eq!(
        setup.regpass.get("/v2/team/tool/manifests/1").await.authorization_source(),
        "login rejected, anonymous"
    );
    assert_eq!(setup.regpass.get(APP).await.status_and_code(), "403 DENIED");
    setup.reconfigure_at(&other, &alice("two"));
    setup.assert_pull_succeeds().await;
    assert_eq!(setup.regpass.status().await["registries"][0]["credentials"][0]["refused"], false);
    setup.sim.finish();
}

/// Renewals follow the active configuration; tokens of the previous one are dropped.
#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_after_a_change_of_upload_hosts() {
    let setup = Setup::start_warm().await;
    setup.reconfigure(&format!("{}\nupload_hosts = [\"uploads.example\"]", alice("one")));
    setup.assert_pull_succeeds().await;
    setup.assert_tokens_are_renewed().await;
    let count = setup.regpass.status().await["totals"]["tokens_held"].clone();
    assert_eq!(count, 1, "tokens of the previous configuration are dropped");
    setup.sim.finish();
}

/// The status page keeps the identity of a credential when other settings change.
#[tokio::test(start_paused = true)]
async fn unchanged_credential_keeps_its_reported_identity() {
    let setup = Setup::start("").await;
    let credentials = async || setup.regpass.status().await["registries"][0]["credentials"].clone();
    let identity = |password: &str| {
        let host = setup.registry.authority();
        format!("[[registry.\"{host}\".identity]]\nrepositories = [\"team/**\"]\n{}", alice(password))
    };
    assert_eq!(credentials().await[0]["identity"], Value::Null, "not used yet");
    setup.assert_pull_succeeds().await;
    for more in ["", "allow = [\"pull\", \"push\"]", "[registry.\"another.example\"]", &identity("other")] {
        setup.reconfigure(&format!("{}\n{more}", alice("one")));
        assert_eq!(credentials().await[0]["identity"], "password in the configuration", "{more}");
    }
    assert_eq!(credentials().await[1]["identity"], Value::Null, "the new credential has not been used");

    setup.reconfigure(&format!("{}\n{}", alice("two"), identity("one")));
    assert_eq!(credentials().await[0]["identity"], Value::Null, "the credential has changed");
    setup.assert_pull_succeeds().await;
    setup.reconfigure(&format!("{}\n{}\n[registry.\"another.example\"]", alice("three"), identity("one")));
    let all = credentials().await;
    assert_eq!((&all[0]["identity"], &all[1]["identity"]), (&Value::Null, &"password in the configuration".into()));

    setup.reconfigure(&alice("one"));
    setup.assert_pull_succeeds().await;
    assert_eq!(credentials().await[0]["identity"], "password in the configuration");
    let other = setup.sim.start(Preset::generic().named("other")).await;
    setup.reconfigure_at(&other, &alice("one"));
    assert_eq!(credentials().await[0]["identity"], Value::Null, "the URL is that of another registry");
    setup.sim.finish();
}

/// Simultaneous first requests must share the state of one registry, as a reload could otherwise keep the unused state.
#[test]
fn registry_is_built_once_for_simultaneous_requests() {
    let regpass = Regpass::start(&Sim::memory(), "");
    let built = regpass.proxy.routes.load().registries()[0].clone();
    let host = built.upstream.host.clone();
    let (calls, barrier) = (Arc::new((Mutex::new(0), Condvar::new())), Barrier::new(2));
    let count = calls.clone();
    let routes = Routes::new(
        host,
        Box::new(move |_| {
            let (count, called) = &*count;
            *count.lock().unwrap() += 1;
            called.notify_all();
            // Gives a second call the time to start.
            drop(called.wait_timeout_while(count.lock().unwrap(), Duration::from_millis(200), |count| *count < 2));
            Some(built.clone())
        }),
    );
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                barrier.wait();
                assert_eq!(routes.registries().len(), 1);
            });
        }
    });
    assert_eq!(*calls.0.lock().unwrap(), 1);
}
