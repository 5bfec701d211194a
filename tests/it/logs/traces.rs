//! W3C trace context: passed on to the registry when it is valid, and to nobody else.

use http::Method;
use serde_json::Value;

use super::World;
use crate::harness::{request, with};
use crate::sim::{Entry, Hop, Mode, Place, Preset};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn told(entry: &Entry) -> [Option<&str>; 2] {
    ["traceparent", "tracestate"].map(|name| entry.headers.get(name).map(|value| value.to_str().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn the_registry_hears_of_the_trace_and_its_token_service_and_blob_store_do_not() {
    let hops = [Hop::new(307, Place::Blobs)];
    let world = World::with(Preset::distribution(Mode::Token).blob_hops(&hops)).await;
    for path in ["manifests/1".to_owned(), world.blob(0)] {
        let get = with(request(Method::GET, &format!("/v2/reg.test/team/app/{path}")), "traceparent", PARENT);
        assert_eq!(world.regpass.send(with(get, "tracestate", "corp=1,other=t61")).await.status, 200);
    }
    let entries = world.sim.ledger().take();
    let at = |server: &str| entries.iter().filter(|entry| entry.server == server).map(told).collect::<Vec<_>>();
    // The first is our own question, which what to log in with.
    assert_eq!(at("registry")[1..], [[Some(PARENT), Some("corp=1,other=t61")]; 2]);
    assert_eq!(at("token"), [[None, None]]);
    assert_eq!(at("blobs"), [[None, None]]);
    assert!(world.log.told("request").iter().all(|line| line["trace_id"] == ID));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_valid_is_left_out_and_nothing_is_made_up() {
    let world = World::new().await;
    assert_eq!(world.get("manifests/1").await.status, 200);
    world.sim.ledger().take();
    let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for (parents, state, expected) in [
        (&[][..], None, [None, None]),
        (&[], Some("corp=1"), [None, None]),
        (&[zeros], Some("corp=1"), [None, None]),
        (&[PARENT, PARENT], None, [None, None]),
        (&["00-secret"], None, [None, None]),
        (&[PARENT], Some("CORP"), [Some(PARENT), None]),
        (&[PARENT], Some("corp=1"), [Some(PARENT), Some("corp=1")]),
    ] {
        let mut get = request(Method::GET, "/v2/reg.test/team/app/manifests/1");
        for parent in parents {
            get = with(get, "traceparent", parent);
        }
        if let Some(state) = state {
            get = with(get, "tracestate", state);
        }
        assert_eq!(world.regpass.send(get).await.status, 200);
        let entries = world.sim.ledger().take();
        assert_eq!(told(&entries[0]), expected, "{parents:?} {state:?}");
        let id = expected[0].map_or(Value::Null, |_| ID.into());
        assert_eq!(world.log.told("request").last().unwrap()["trace_id"], id);
    }
    assert!(!world.log.text().contains("00-secret"));
}
