//! Another configuration while requests come in: what stays as it was keeps what it knows, what changed is judged anew.

use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use http::Method;
use regpass::proxy::route::Routes;
use serde_json::Value;
use tokio::time::sleep;

use crate::harness::{Regpass, only, request, table};
use crate::sim::{Family, Fault, Image, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";

fn login(password: &str) -> String {
    format!("credential = {{ source = \"password\", username = \"alice\", password = \"{password}\" }}")
}

struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
}

impl World {
    /// A registry whose one image alice may pull.
    async fn of(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::generic()).await;
        let image = Image::single("app", Family::Oci);
        registry.user("alice", "one");
        registry.keep("team/app", "1", &image);
        let regpass = Regpass::start(&sim, &only(&registry, &format!("{}\n{more}", login("one"))));
        Self { sim, registry, regpass, image }
    }

    fn reconfigure(&self, more: &str) {
        self.regpass.reconfigure(&only(&self.registry, more));
    }

    async fn pulls(&self) {
        let reply = self.regpass.get(APP).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn warm_tokens_and_what_was_learned_survive() {
    let world = World::of("").await;
    world.pulls().await;
    let same = login("one");
    for more in [
        same.clone(),
        format!("{same}\nallow = [\"pull\", \"push\"]"),
        format!("{same}\nrepositories = [\"team/**\"]"),
        format!("{same}\nredirects = \"pass\"\nalias = \"r\""),
        format!("{same}\n[registry.\"another.example\"]"),
        format!(
            "{same}\n[[registry.\"{}\".identity]]\nrepositories = [\"x/**\"]\ncredential = {{ source = \"anonymous\" }}",
            world.registry.authority()
        ),
    ] {
        world.sim.ledger().take();
        world.reconfigure(&more);
        world.pulls().await;
        world.sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    }
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_ahead_after_a_change_beside_them() {
    let world = World::of("").await;
    world.pulls().await;
    world.reconfigure(&format!("{}\nallow = [\"pull\", \"push\"]", login("one")));
    world.sim.ledger().take();
    for _ in 0..60 {
        sleep(Duration::from_secs(20)).await;
        let reply = world.regpass.get(APP).await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (200, "cached"));
    }
    assert_eq!(world.sim.ledger().count("registry", |entry| entry.status.is_some_and(|status| status == 401)), 0);
    assert!(world.sim.ledger().count("token", |_| true) > 1, "twenty minutes are more than one life");
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn another_login_is_used_at_once_and_the_old_one_never_again() {
    let world = World::of("").await;
    world.pulls().await;
    world.registry.user("alice", "two");
    world.sim.ledger().take();
    world.reconfigure(&login("two"));
    world.pulls().await;
    world.sim.ledger().expect(&[
        "token GET /token?service=generic.test&scope=repository:team/app:pull basic:alice 200",
        "registry GET /v2/team/app/manifests/1 bearer#2 200",
    ]);
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_remembered_against_a_new_login() {
    let world = World::of("").await;
    world.reconfigure(&login("wrong"));
    assert_eq!(world.regpass.get(APP).await.verdict(), "403 DENIED");
    world.reconfigure(&login("one"));
    world.pulls().await;
}

#[tokio::test(start_paused = true)]
async fn requests_under_way_finish_though_their_registry_is_gone() {
    let world = World::of("").await;
    world.pulls().await;
    world.registry.registry().inject(Fault::delay(Duration::from_secs(3)).times(1));
    let blob = format!("/v2/team/app/blobs/{}", world.image.blobs[0].digest);
    let (reply, ()) = tokio::join!(world.regpass.get(&blob), async {
        sleep(Duration::from_secs(1)).await;
        world.regpass.reconfigure("default_registry = \"another.example\"\n[registry.\"another.example\"]");
    });
    assert_eq!((reply.status.as_u16(), reply.whole), (200, true));
    let gone = world.regpass.get(&format!("/v2/{}/team/app/manifests/1", world.registry.authority())).await;
    assert_eq!(gone.verdict(), "404 NAME_UNKNOWN");
    world.sim.finish();
}

/// Who may see a login is judged by the configuration in force, for the renewals of tokens that are held, too.
#[tokio::test(start_paused = true)]
async fn a_realm_that_is_no_longer_listed_sees_no_login_again() {
    let world = World::of("").await;
    world.pulls().await;
    // Used again since it came: the token would be renewed.
    sleep(Duration::from_secs(10)).await;
    world.pulls().await;
    world.sim.ledger().take();
    let (host, url) = (world.registry.authority(), world.registry.origin());
    world.regpass.reconfigure(&format!(
        "default_registry = \"{host}\"\n[registry.\"{host}\"]\nurl = \"{url}\"\n{}",
        login("one")
    ));
    let reply = world.regpass.get(APP).await;
    assert!(reply.status.is_server_error() && reply.error().1.contains("realm_hosts"), "{reply:?}");
    for _ in 0..60 {
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(world.sim.ledger().count("token", |_| true), 0, "{:?}", world.sim.ledger().lines());
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_on_under_new_keys_and_another_spool() {
    let world = World::of("allow = [\"pull\", \"push\"]").await;
    let start = world.regpass.send(request(Method::POST, "/v2/team/app/blobs/uploads/")).await;
    assert_eq!(start.status, 202, "{start:?}");
    let location = start.header("location").unwrap().to_owned();
    let allowed = format!("{}\nallow = [\"pull\", \"push\"]", login("one"));
    let keyed = format!(
        "upload_key = [\"a key of more than sixteen bytes\"]\nupload_spool = \"1MiB\"\n{}",
        only(&world.registry, &allowed)
    );
    world.regpass.reconfigure(&keyed);
    let status = world.regpass.get(&location).await;
    assert_eq!(status.status, 204, "{status:?}");
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_elsewhere_now_is_met_anew() {
    let world = World::of("").await;
    world.pulls().await;
    let other = world.sim.start(Preset::generic().named("other")).await;
    other.publish("team/app", "1", &world.image);
    world.sim.ledger().take();
    let host = world.registry.authority();
    world.regpass.reconfigure(&format!("default_registry = \"{host}\"\n{}", table(host, &other, "")));
    world.pulls().await;
    let servers: Vec<String> = world.sim.ledger().take().into_iter().map(|entry| entry.server).collect();
    assert!(servers.iter().all(|server| server.contains("other")), "{servers:?}");
}

/// What one place makes of a login says nothing about another.
#[tokio::test(start_paused = true)]
async fn a_login_refused_at_the_old_place_is_shown_at_the_new_one() {
    let world = World::of("").await;
    world.registry.publish("team/tool", "1", &world.image);
    let other = world.sim.start(Preset::generic().named("other")).await;
    other.user("alice", "two");
    other.keep("team/app", "1", &world.image);
    world.reconfigure(&login("two"));
    assert_eq!(world.regpass.get("/v2/team/tool/manifests/1").await.grant(), "login rejected, anonymous");
    assert_eq!(world.regpass.get(APP).await.verdict(), "403 DENIED");
    let host = world.registry.authority();
    world.regpass.reconfigure(&format!("default_registry = \"{host}\"\n{}", table(host, &other, &login("two"))));
    world.pulls().await;
    assert_eq!(world.regpass.status().await["registries"][0]["credentials"][0]["refused"], false);
    world.sim.finish();
}

/// A token is looked after by whoever is judged by the rules in force.
#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_ahead_after_a_change_of_their_registry() {
    let world = World::of("").await;
    world.pulls().await;
    world.reconfigure(&format!("{}\nupload_hosts = [\"uploads.example\"]", login("one")));
    world.pulls().await;
    for _ in 0..60 {
        sleep(Duration::from_secs(20)).await;
        let reply = world.regpass.get(APP).await;
        assert_eq!((reply.status.as_u16(), reply.grant()), (200, "cached"));
    }
    let held = world.regpass.status().await["totals"]["tokens_held"].clone();
    assert_eq!(held, 1, "what was held under the other rules is forgotten");
    world.sim.finish();
}

/// What a login last said is not forgotten for what changed beside it.
#[tokio::test(start_paused = true)]
async fn a_login_that_stays_keeps_what_it_said_and_another_has_said_nothing() {
    let world = World::of("").await;
    let told = async || world.regpass.status().await["registries"][0]["credentials"].clone();
    let identity = |password: &str| {
        let host = world.registry.authority();
        format!("[[registry.\"{host}\".identity]]\nrepositories = [\"team/**\"]\n{}", login(password))
    };
    assert_eq!(told().await[0]["identity"], Value::Null, "not looked at yet");
    world.pulls().await;
    for more in ["", "allow = [\"pull\", \"push\"]", "[registry.\"another.example\"]", &identity("other")] {
        world.reconfigure(&format!("{}\n{more}", login("one")));
        assert_eq!(told().await[0]["identity"], "password in the configuration", "{more}");
    }
    assert_eq!(told().await[1]["identity"], Value::Null, "a new one has said nothing");

    world.reconfigure(&format!("{}\n{}", login("two"), identity("one")));
    assert_eq!(told().await[0]["identity"], Value::Null, "another login");
    world.pulls().await;
    world.reconfigure(&format!("{}\n{}\n[registry.\"another.example\"]", login("three"), identity("one")));
    let all = told().await;
    assert_eq!((&all[0]["identity"], &all[1]["identity"]), (&Value::Null, &"password in the configuration".into()));

    world.reconfigure(&login("one"));
    world.pulls().await;
    assert_eq!(told().await[0]["identity"], "password in the configuration");
    let other = world.sim.start(Preset::generic().named("other")).await;
    let host = world.registry.authority();
    world.regpass.reconfigure(&format!("default_registry = \"{host}\"\n{}", table(host, &other, &login("one"))));
    assert_eq!(told().await[0]["identity"], Value::Null, "what it said was said of another place");
    world.sim.finish();
}

/// Who meets a registry at the same time meets one and the same: of two, the next configuration could find the wrong one.
#[test]
fn a_registry_is_made_once_however_many_ask() {
    let regpass = Regpass::start(&Sim::memory(), "");
    let made = regpass.proxy.routes.load().registries()[0].clone();
    let host = made.upstream.host.clone();
    let (calls, second) = (Arc::new((Mutex::new(0), Condvar::new())), Barrier::new(2));
    let count = calls.clone();
    let routes = Routes::new(
        host,
        Box::new(move |_| {
            let (count, called) = &*count;
            *count.lock().unwrap() += 1;
            called.notify_all();
            // Time for another to come in as well.
            drop(called.wait_timeout_while(count.lock().unwrap(), Duration::from_millis(200), |count| *count < 2));
            Some(made.clone())
        }),
    );
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                second.wait();
                assert_eq!(routes.registries().len(), 1);
            });
        }
    });
    assert_eq!(*calls.0.lock().unwrap(), 1);
}
