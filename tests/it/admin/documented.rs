//! `docs/status.md` names every field of `/status.json`, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regpass::observe::image::QUIET;
use regpass::observe::reloads::Unusable;
use serde_json::Value;

use super::{APP, Scene};
use crate::sim::{Fault, Reply};

#[tokio::test(start_paused = true)]
async fn every_field_is_documented_and_every_documented_field_is_there() {
    let scene = Scene::new("", "").await;
    scene.pull().await;
    scene.hub.registry().inject(Fault::answer(Reply::error(503, "UNAVAILABLE", "busy")));
    assert_eq!(scene.regpass.get(APP).await.status, 503);
    scene.corp.registry().inject(Fault::html(502));
    assert_eq!(scene.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    scene.regpass.proxy.reloads.refused("1: no");
    let gone = Unusable { key: "upload_key".into(), what: "/key does not exist".into(), kept: true };
    scene.regpass.proxy.reloads.unusable(vec![gone]);
    tokio::time::sleep(QUIET * 2).await;
    let mut found = BTreeSet::new();
    fields(&mut found, "", &scene.regpass.status().await);
    // A host that is gone is a scene of its own.
    let gone = crate::harness::Regpass::start(&scene.sim, "[registry.\"gone.test\"]\nurl = \"http://gone.test\"\n");
    assert_eq!(gone.get("/v2/gone.test/a/b/manifests/1").await.status, 502);
    fields(&mut found, "", &gone.status().await);
    // These are as the ones of `requests`.
    found.retain(|path| !path.starts_with("errors[]"));

    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(ToOwned::to_owned).collect();
    assert_eq!(documented.difference(&found).collect::<Vec<_>>(), [""; 0], "documented, and not there");
    assert_eq!(found.difference(&documented).collect::<Vec<_>>(), [""; 0], "there, and not documented");
    let units = page.lines().filter(|line| line.starts_with("| `") && line.contains("_seconds`"));
    assert!(units.count() > 3, "the rows were found");
}

/// The paths of all fields: `registries[].tokens[].scopes`.
fn fields(found: &mut BTreeSet<String>, path: &str, value: &Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(found, &path, value);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(found, &format!("{path}[]"), item)),
        _ => {}
    }
}
