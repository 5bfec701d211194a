//! W3C trace context: regpass forwards a valid one to the registry, and to no other server.

use http::Method;
use serde_json::Value;

use super::Setup;
use crate::harness::{request, with_header};
use crate::sim::{AuthMode, Entry, Hop, HopTarget, Preset};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn trace_headers(entry: &Entry) -> [Option<&str>; 2] {
    ["traceparent", "tracestate"].map(|name| entry.headers.get(name).map(|value| value.to_str().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn trace_context_is_sent_to_the_registry_but_not_to_token_service_or_blob_store() {
    let hops = [Hop::new(307, HopTarget::BlobStore)];
    let setup = Setup::with(Preset::distribution(AuthMode::Token).blob_hops(&hops)).await;
    for path in ["manifests/1".to_owned(), setup.blob(0)] {
        let get = with_header(request(Method::GET, &format!("/v2/reg.test/team/app/{path}")), "traceparent", PARENT);
        assert_eq!(setup.regpass.send(with_header(get, "tracestate", "corp=1,other=t61")).await.status, 200);
    }
    let entries = setup.sim.ledger().take();
    let at =
        |server: &str| entries.iter().filter(|entry| entry.server == server).map(trace_headers).collect::<Vec<_>>();
    // The first is the request without authorization, from which regpass learns the challenge.
    assert_eq!(at("registry")[1..], [[Some(PARENT), Some("corp=1,other=t61")]; 2]);
    assert_eq!(at("token"), [[None, None]]);
    assert_eq!(at("blobs"), [[None, None]]);
    assert!(setup.log.events("request").iter().all(|line| line["trace_id"] == ID));
}

#[tokio::test(start_paused = true)]
async fn invalid_trace_context_is_dropped_and_none_is_generated() {
    let setup = Setup::new().await;
    assert_eq!(setup.get("manifests/1").await.status, 200);
    setup.sim.ledger().take();
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
            get = with_header(get, "traceparent", parent);
        }
        if let Some(state) = state {
            get = with_header(get, "tracestate", state);
        }
        assert_eq!(setup.regpass.send(get).await.status, 200);
        let entries = setup.sim.ledger().take();
        assert_eq!(trace_headers(&entries[0]), expected, "{parents:?} {state:?}");
        let id = expected[0].map_or(Value::Null, |_| ID.into());
        assert_eq!(setup.log.events("request").last().unwrap()["trace_id"], id);
    }
    assert!(!setup.log.text().contains("00-secret"));
}
