//! `docs/logs.md` names every field of a line, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::World;
use crate::harness::{Regpass, put, request, with};
use crate::sim::{Fault, Hop, Mode, Place, Preset};

#[tokio::test(start_paused = true)]
async fn every_field_is_documented_and_every_documented_field_is_there() {
    let hops = [Hop::new(307, Place::Blobs)];
    let world = World::with(Preset::distribution(Mode::Token).blob_hops(&hops)).await;
    world.registry.publish("team/app", "2", &world.image);
    // Two tags at a time, a trace, a body that is resumed and one that ends, a push.
    world.registry.registry().inject(Fault::delay(Duration::from_millis(50)).path("manifests/1"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = with(request(Method::GET, "/v2/reg.test/team/app/manifests/2"), "traceparent", trace);
    let (one, two) = tokio::join!(world.get("manifests/1"), world.regpass.send(traced));
    assert_eq!([one.status.as_u16(), two.status.as_u16()], [200, 200]);
    let store = world.registry.blobs();
    store.inject(Fault::close_mid_body(3).times(1));
    assert!(world.get(&world.blob(0)).await.whole, "it was resumed");
    store.inject(Fault::close_mid_body(3));
    assert!(!world.get(&world.blob(1)).await.whole);
    let named = put("/v2/reg.test/team/app/manifests/3", &world.image);
    assert_eq!(world.regpass.send(named).await.status, 201);
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\nclients = { bearer = \"what clients know\" }\n";
    let knowing = Regpass::start(&world.sim, listener);
    let known = with(request(Method::GET, "/v2/"), "authorization", "Bearer what clients know");
    assert_eq!(knowing.send(known).await.status, 200);
    let images = world.images().await;
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md")).unwrap();
    for (heading, told) in [("## Requests", world.log.told("request")), ("## Images", images)] {
        let (_, section) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
        let section = section.split("\n## ").next().unwrap();
        let documented: BTreeSet<&str> =
            section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let found: BTreeSet<&str> = told.iter().flat_map(fields).filter(|field| !EVERYWHERE.contains(field)).collect();
        assert_eq!(documented, found, "{heading}: documented on the left, told on the right");
        assert!(told.iter().all(|line| EVERYWHERE.iter().all(|field| line[field].is_string())), "{told:#?}");
        assert!(told.iter().all(|line| line["timestamp"].as_str().unwrap().ends_with('Z')));
    }
    assert!(EVERYWHERE.iter().all(|field| page.contains(&format!("| `{field}` |"))));
}

/// What lines of all kinds have.
const EVERYWHERE: [&str; 4] = ["timestamp", "level", "message", "target"];

fn fields(line: &Value) -> impl Iterator<Item = &str> {
    line.as_object().unwrap().keys().map(String::as_str)
}
