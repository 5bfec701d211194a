//! `docs/status.md` describes every field of `/status.json`, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regpass::observe::image::QUIET_PERIOD;
use regpass::observe::reloads::UnusableFile;
use serde_json::Value;

use super::{APP, TwoRegistries};
use crate::sim::{Fault, Reply};

#[tokio::test(start_paused = true)]
async fn documented_fields_are_the_fields_of_the_status() {
    let setup = TwoRegistries::start("", "").await;
    setup.pull().await;
    setup.hub.api().inject(Fault::answer(Reply::error(503, "UNAVAILABLE", "busy")));
    assert_eq!(setup.regpass.get(APP).await.status, 503);
    setup.corp.api().inject(Fault::html(502));
    assert_eq!(setup.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 502);
    setup.regpass.proxy.reloads.note_rejected("1: no");
    let missing = UnusableFile { key: "upload_key".into(), message: "/key does not exist".into(), has_last_good: true };
    setup.regpass.proxy.reloads.set_unusable_files(vec![missing]);
    tokio::time::sleep(QUIET_PERIOD * 2).await;
    let mut actual = BTreeSet::new();
    collect_paths(&mut actual, "", &setup.regpass.status().await);
    // The fields of a circuit need a host that cannot be reached.
    let gone = crate::harness::Regpass::start(&setup.sim, "[registry.\"gone.test\"]\nurl = \"http://gone.test\"\n");
    assert_eq!(gone.get("/v2/gone.test/a/b/manifests/1").await.status, 502);
    collect_paths(&mut actual, "", &gone.status().await);
    // `errors` has the same fields as `requests`, and `docs/status.md` describes only the latter.
    actual.retain(|path| !path.starts_with("errors[]"));

    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/status.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(ToOwned::to_owned).collect();
    assert_eq!(documented.difference(&actual).collect::<Vec<_>>(), [""; 0], "documented, but missing");
    assert_eq!(actual.difference(&documented).collect::<Vec<_>>(), [""; 0], "not documented");
    let units = page.lines().filter(|line| line.starts_with("| `") && line.contains("_seconds`"));
    assert!(units.count() > 3, "too few rows with the ending `_seconds` were found in docs/status.md");
}

/// Collects the paths of all fields: `registries[].tokens[].scopes`.
fn collect_paths(paths: &mut BTreeSet<String>, path: &str, value: &Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect_paths(paths, &path, value);
                paths.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_paths(paths, &format!("{path}[]"), item)),
        _ => {}
    }
}
