//! `/metrics`: its values, and that `docs/metrics.md` describes each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::advance;

use super::{APP, TwoRegistries};
use crate::credentials::password;
use crate::harness::{Regpass, registry_table};
use crate::sim::{Fault, Image, ImageFormat, Preset, Sim};

const CORP: &str = "/v2/corp.example:5000/team/app/manifests/1";

/// The value, as text, of the line of `/metrics` that starts with `line`; panics unless there is exactly one.
#[track_caller]
fn text_value(regpass: &Regpass, line: &str) -> String {
    let lines = regpass.metric(line);
    let [sample] = lines.as_slice() else { panic!("{line}: {lines:#?}, of {:#?}", regpass.metric("regpass_")) };
    sample.rsplit(' ').next().unwrap().to_owned()
}

#[track_caller]
fn value(regpass: &Regpass, line: &str) -> f64 {
    text_value(regpass, line).parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn bytes_and_durations_are_measured_per_registry() {
    let setup = TwoRegistries::start("", "").await;
    setup.hub.token_service().inject(Fault::delay(Duration::from_millis(40)));
    let reply = setup.regpass.get(APP).await;
    assert_eq!(reply.status, 200);
    setup.pull().await;
    let of = |name: &str| text_value(&setup.regpass, &format!("regpass_{name}{{registry=\"docker.io\"}}"));
    assert_eq!(of("received_bytes_total"), (2 * reply.body.len()).to_string());
    assert_eq!(of("sent_bytes_total"), "0");
    let labels = "registry=\"docker.io\",operation=\"read-manifest\"";
    let within = |seconds: &str, labels: &str, name: &str| {
        let wanted = [format!("le=\"{seconds}\",{labels}"), format!("{labels},le=\"{seconds}\"")];
        let lines = setup.regpass.metric(&format!("regpass_{name}_duration_seconds_bucket"));
        let line = lines.iter().find(|line| wanted.iter().any(|wanted| line.contains(wanted.as_str())));
        line.unwrap_or_else(|| panic!("{lines:#?}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!([within("0.03", labels, "request"), within("0.1", labels, "request")], ["1", "2"]);
    let hub = "registry=\"docker.io\"";
    assert_eq!(
        [within("0.001", hub, "auth"), within("0.05", hub, "auth")],
        ["1", "2"],
        "one of two waited for a token"
    );
    let name = format!("regpass_request_duration_seconds_count{{{labels}}}");
    assert_eq!(text_value(&setup.regpass, &name), "2");
}

#[tokio::test(start_paused = true)]
async fn token_expiry_is_that_of_the_first_token_to_expire() {
    let setup = TwoRegistries::start("", "").await;
    assert!(setup.regpass.metric("regpass_token_expiry_seconds").is_empty(), "there is no token yet");
    setup.pull().await;
    let line = "regpass_token_expiry_seconds{registry=\"docker.io\"}";
    let first = value(&setup.regpass, line);
    assert!((200.0..=300.0).contains(&first), "{first}");
    advance(Duration::from_secs(60)).await;
    setup.hub.publish("team/other", "1", &Image::single("other", ImageFormat::Oci));
    assert_eq!(setup.regpass.get("/v2/docker.io/team/other/manifests/1").await.status, 200);
    assert!((first - value(&setup.regpass, line) - 60.0).abs() < 1.0, "the older token expires first");
    let held = |host: &str| text_value(&setup.regpass, &format!("regpass_tokens_held{{registry=\"{host}\"}}"));
    assert_eq!([held("docker.io"), held("corp.example:5000")], ["2", "0"]);
}

#[tokio::test(start_paused = true)]
async fn rate_limits_of_one_credential_source_share_a_label_and_the_lowest_counts() {
    let own = password("alice", "alices-password");
    let identity = "[[registry.\"docker.io\".identity]]\nrepositories = [\"bob/**\"]";
    let hub = format!("{own}\n{identity}\n{}", password("bob", "bobs-password"));
    let setup = TwoRegistries::start(&hub, "").await;
    setup.hub.add_user("bob", "bobs-password");
    setup.hub.publish("bob/app", "1", &Image::single("app", ImageFormat::Oci));
    setup.pull().await;
    for _ in 0..3 {
        assert_eq!(setup.regpass.get("/v2/docker.io/bob/app/manifests/1").await.status, 200);
    }
    let labels = "{registry=\"docker.io\",identity=\"password in the configuration\"}";
    let exported = setup.regpass.metric("regpass_rate_limit");
    let limits = setup.regpass.proxy.activity.health.registry("docker.io").unwrap().rate_limits;
    assert_eq!(limits.len(), 2, "{limits:?}");
    let least = limits.iter().filter_map(|limit| limit.remaining).min().unwrap();
    assert!(limits.iter().any(|limit| limit.remaining != Some(least)), "they differ: {limits:?}");
    let limit = limits.iter().filter_map(|limit| limit.limit).min().unwrap();
    assert_eq!(
        exported,
        [format!("regpass_rate_limit{labels} {limit}"), format!("regpass_rate_limit_remaining{labels} {least}"),],
        "two credentials of one source share a label, and the one with the least remaining counts"
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_and_open_circuits_are_measured() {
    let sim = Sim::memory();
    let text = "[registry.\"gone.test\"]\nurl = \"http://gone.test\"\n";
    let regpass = Regpass::start(&sim, text);
    let open = "regpass_circuit_open{registry=\"gone.test\"}";
    assert_eq!([text_value(&regpass, "regpass_ready"), text_value(&regpass, open)], ["0", "0"]);
    regpass.report_listening();
    for _ in 0..3 {
        assert_eq!(regpass.get("/v2/gone.test/a/b/manifests/1").await.status, 502);
    }
    assert_eq!([text_value(&regpass, "regpass_ready"), text_value(&regpass, open)], ["1", "1"]);
    advance(Duration::from_secs(2)).await;
    assert_eq!(text_value(&regpass, open), "0", "regpass tries the host again");
    regpass.proxy.drain();
    assert_eq!(text_value(&regpass, "regpass_ready"), "0");
}

#[tokio::test(start_paused = true)]
async fn hosts_matched_by_a_wildcard_add_no_labels() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic()).await;
    let regpass = Regpass::start(&sim, &(registry_table("docker.io", &registry, "") + "[registry.\"*.many.test\"]\n"));
    let lines = |regpass: &Regpass| regpass.metric("").len();
    let mut sizes = BTreeSet::new();
    for number in 0..20 {
        // Three failures of a host open its circuit, which adds no label either.
        assert_eq!(regpass.get(&format!("/v2/r{}.many.test/a{number}/manifests/1", number / 4)).await.status, 502);
        sizes.insert(lines(&regpass));
    }
    assert_eq!(sizes.len(), 1, "{sizes:?}: neither hosts nor repositories add lines");
}

#[tokio::test(start_paused = true)]
async fn documented_metrics_are_the_exported_metrics() {
    let setup = TwoRegistries::start(&password("alice", "wrong"), "").await;
    setup.pull().await;
    assert_eq!(setup.regpass.get(CORP).await.status, 200);
    setup.regpass.proxy.reloads.note_rejected("1: no");
    let text = setup.regpass.metric("").join("\n");
    assert!(text.ends_with("\n# EOF") && text.matches("# EOF").count() == 1, "one exposition: {text}");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<&str, &str> = types.collect();
    assert_eq!(types.len(), text.matches("# TYPE").count(), "each type is declared once");
    // Queries use the names with these suffixes.
    let sample_names = types.iter().map(|(name, kind)| match *kind {
        "counter" => (format!("{name}_total"), "counter"),
        "info" => (format!("{name}_info"), "info"),
        kind => ((*name).to_owned(), kind),
    });
    let exported: BTreeMap<String, (&str, BTreeSet<String>)> =
        sample_names.map(|(name, kind)| (name.clone(), (kind, labels(&text, &name, kind)))).collect();

    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeMap<String, (&str, BTreeSet<String>)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let labels = cells[2].split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
            (cells[0].trim_matches('`').to_owned(), (cells[1], labels))
        })
        .collect();
    // Only credentials that a cloud issues have a known expiry, so this metric is missing here; `clouds` tests it.
    let (cloud_only, expected): (BTreeMap<_, _>, BTreeMap<_, _>) =
        documented.into_iter().partition(|(name, _)| name == "regpass_credential_expiry_seconds");
    assert_eq!(cloud_only.len(), 1);
    let exported: BTreeMap<_, _> = exported.into_iter().filter(|(name, _)| !cloud_only.contains_key(name)).collect();
    assert_eq!(expected, exported, "docs/metrics.md on the left, /metrics on the right");
}

/// The names of a metric's labels in the text of `/metrics`, without the `le` of histograms.
fn labels(text: &str, name: &str, kind: &str) -> BTreeSet<String> {
    let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
    let lines = text.lines().filter_map(|line| line.strip_prefix(&sample)?.strip_prefix('{'));
    let pairs = lines.flat_map(|line| line.split("=\"").map(ToOwned::to_owned).collect::<Vec<_>>());
    pairs.filter_map(|part| Some(part.rsplit([',', '{']).next()?.to_owned())).filter(|part| is_label(part)).collect()
}

fn is_label(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
