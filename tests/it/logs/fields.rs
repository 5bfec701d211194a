//! `docs/logs.md` describes every field of a log line, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::Setup;
use crate::harness::{Regpass, manifest_put, request, with_header};
use crate::sim::{AuthMode, Fault, Hop, HopTarget, Preset};

#[tokio::test(start_paused = true)]
async fn documented_fields_are_the_logged_fields() {
    let hops = [Hop::new(307, HopTarget::BlobStore)];
    let setup = Setup::with(Preset::distribution(AuthMode::Token).blob_hops(&hops)).await;
    setup.registry.publish("team/app", "2", &setup.image);
    // These requests produce every field: two tags at once, a trace, a resumed and a broken body, a push.
    setup.registry.api().inject(Fault::delay(Duration::from_millis(50)).path("manifests/1"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = with_header(request(Method::GET, "/v2/reg.test/team/app/manifests/2"), "traceparent", trace);
    let (one, two) = tokio::join!(setup.get("manifests/1"), setup.regpass.send(traced));
    assert_eq!([one.status.as_u16(), two.status.as_u16()], [200, 200]);
    let store = setup.registry.blob_store();
    store.inject(Fault::close_mid_body(3).times(1));
    assert!(setup.get(&setup.blob(0)).await.complete, "the transfer is resumed");
    store.inject(Fault::close_mid_body(3));
    assert!(!setup.get(&setup.blob(1)).await.complete);
    let named = manifest_put("/v2/reg.test/team/app/manifests/3", &setup.image);
    assert_eq!(setup.regpass.send(named).await.status, 201);
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\nclients = { bearer = \"client secret\" }\n";
    let authenticating = Regpass::start(&setup.sim, listener);
    let authenticated = with_header(request(Method::GET, "/v2/"), "authorization", "Bearer client secret");
    assert_eq!(authenticating.send(authenticated).await.status, 200);
    let images = setup.images().await;
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md")).unwrap();
    for (heading, lines) in [("## Requests", setup.log.events("request")), ("## Images", images)] {
        let (_, section) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
        let section = section.split("\n## ").next().unwrap();
        let documented: BTreeSet<&str> =
            section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let logged: BTreeSet<&str> =
            lines.iter().flat_map(fields).filter(|field| !COMMON_FIELDS.contains(field)).collect();
        assert_eq!(documented, logged, "{heading}: documented on the left, logged on the right");
        assert!(lines.iter().all(|line| COMMON_FIELDS.iter().all(|field| line[field].is_string())), "{lines:#?}");
        assert!(lines.iter().all(|line| line["timestamp"].as_str().unwrap().ends_with('Z')));
    }
    assert!(COMMON_FIELDS.iter().all(|field| page.contains(&format!("| `{field}` |"))));
}

/// The fields of every log line.
const COMMON_FIELDS: [&str; 4] = ["timestamp", "level", "message", "target"];

fn fields(line: &Value) -> impl Iterator<Item = &str> {
    line.as_object().unwrap().keys().map(String::as_str)
}
