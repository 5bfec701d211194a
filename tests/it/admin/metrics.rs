//! `/metrics`: what it measures, and that `docs/metrics.md` describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::advance;

use super::{APP, Scene};
use crate::harness::{Regpass, table};
use crate::sim::{Family, Fault, Image, Preset, Sim};

const CORP: &str = "/v2/corp.example:5000/team/app/manifests/1";

/// The value of one line, as it is written.
#[track_caller]
fn word(regpass: &Regpass, line: &str) -> String {
    let lines = regpass.metric(line);
    let [found] = lines.as_slice() else { panic!("{line}: {lines:#?}, of {:#?}", regpass.metric("regpass_")) };
    found.rsplit(' ').next().unwrap().to_owned()
}

#[track_caller]
fn value(regpass: &Regpass, line: &str) -> f64 {
    word(regpass, line).parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn bytes_and_times_are_measured_by_registry() {
    let scene = Scene::new("", "").await;
    scene.hub.token().inject(Fault::delay(Duration::from_millis(40)));
    let reply = scene.regpass.get(APP).await;
    assert_eq!(reply.status, 200);
    scene.pull().await;
    let of = |name: &str| word(&scene.regpass, &format!("regpass_{name}{{registry=\"docker.io\"}}"));
    assert_eq!(of("received_bytes_total"), (2 * reply.body.len()).to_string());
    assert_eq!(of("sent_bytes_total"), "0");
    let labels = "registry=\"docker.io\",operation=\"read-manifest\"";
    let within = |seconds: &str, labels: &str, name: &str| {
        let wanted = [format!("le=\"{seconds}\",{labels}"), format!("{labels},le=\"{seconds}\"")];
        let lines = scene.regpass.metric(&format!("regpass_{name}_duration_seconds_bucket"));
        let line = lines.iter().find(|line| wanted.iter().any(|wanted| line.contains(wanted.as_str())));
        line.unwrap_or_else(|| panic!("{lines:#?}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!([within("0.03", labels, "request"), within("0.1", labels, "request")], ["1", "2"]);
    let hub = "registry=\"docker.io\"";
    assert_eq!([within("0.001", hub, "auth"), within("0.05", hub, "auth")], ["1", "2"], "one of two waited");
    let name = format!("regpass_request_duration_seconds_count{{{labels}}}");
    assert_eq!(word(&scene.regpass, &name), "2");
}

#[tokio::test(start_paused = true)]
async fn the_time_until_tokens_end_is_told_for_the_first_of_them() {
    let scene = Scene::new("", "").await;
    assert!(scene.regpass.metric("regpass_token_expiry_seconds").is_empty(), "nothing is held");
    scene.pull().await;
    let line = "regpass_token_expiry_seconds{registry=\"docker.io\"}";
    let first = value(&scene.regpass, line);
    assert!((200.0..=300.0).contains(&first), "{first}");
    advance(Duration::from_secs(60)).await;
    scene.hub.publish("team/other", "1", &Image::single("other", Family::Oci));
    assert_eq!(scene.regpass.get("/v2/docker.io/team/other/manifests/1").await.status, 200);
    assert!((first - value(&scene.regpass, line) - 60.0).abs() < 1.0, "the newer token lasts longer");
    let held = |host: &str| word(&scene.regpass, &format!("regpass_tokens_held{{registry=\"{host}\"}}"));
    assert_eq!([held("docker.io"), held("corp.example:5000")], ["2", "0"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_limit_is_told_by_where_the_login_is_from() {
    let login = "credential = { source = \"password\", username = \"alice\", password = \"alices-password\" }";
    let second = format!("{login}\n[[registry.\"docker.io\".identity]]\nrepositories = [\"bob/**\"]\ncredential = ");
    let second = format!("{second}{{ source = \"password\", username = \"bob\", password = \"bobs-password\" }}");
    let scene = Scene::new(&second, "").await;
    scene.hub.user("bob", "bobs-password");
    scene.hub.publish("bob/app", "1", &Image::single("app", Family::Oci));
    scene.pull().await;
    for _ in 0..3 {
        assert_eq!(scene.regpass.get("/v2/docker.io/bob/app/manifests/1").await.status, 200);
    }
    let labels = "{registry=\"docker.io\",identity=\"password in the configuration\"}";
    let told = scene.regpass.metric("regpass_rate_limit");
    let limits = scene.regpass.proxy.seen.health.of("docker.io").unwrap().rate_limits;
    assert_eq!(limits.len(), 2, "{limits:?}");
    let least = limits.iter().filter_map(|limit| limit.remaining).min().unwrap();
    assert!(limits.iter().any(|limit| limit.remaining != Some(least)), "they differ: {limits:?}");
    let limit = limits.iter().filter_map(|limit| limit.limit).min().unwrap();
    assert_eq!(
        told,
        [format!("regpass_rate_limit{labels} {limit}"), format!("regpass_rate_limit_remaining{labels} {least}"),],
        "two logins of one source share a label, and the one with less left counts"
    );
}

#[tokio::test(start_paused = true)]
async fn readiness_and_a_host_that_is_down_are_told() {
    let sim = Sim::memory();
    let text = "[registry.\"gone.test\"]\nurl = \"http://gone.test\"\n";
    let regpass = Regpass::start(&sim, text);
    let open = "regpass_circuit_open{registry=\"gone.test\"}";
    assert_eq!([word(&regpass, "regpass_ready"), word(&regpass, open)], ["0", "0"]);
    regpass.listens();
    for _ in 0..3 {
        assert_eq!(regpass.get("/v2/gone.test/a/b/manifests/1").await.status, 502);
    }
    assert_eq!([word(&regpass, "regpass_ready"), word(&regpass, open)], ["1", "1"]);
    advance(Duration::from_secs(2)).await;
    assert_eq!(word(&regpass, open), "0", "it is asked again");
    regpass.proxy.drain();
    assert_eq!(word(&regpass, "regpass_ready"), "0");
}

#[tokio::test(start_paused = true)]
async fn a_wildcard_is_one_label_however_many_hosts_it_means() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic()).await;
    let regpass = Regpass::start(&sim, &(table("docker.io", &registry, "") + "[registry.\"*.many.test\"]\n"));
    let lines = |regpass: &Regpass| regpass.metric("").len();
    let mut sizes = BTreeSet::new();
    for number in 0..20 {
        // Three of the same bring a circuit into being; its host is no label either.
        assert_eq!(regpass.get(&format!("/v2/r{}.many.test/a{number}/manifests/1", number / 4)).await.status, 502);
        sizes.insert(lines(&regpass));
    }
    assert_eq!(sizes.len(), 1, "{sizes:?}: neither hosts nor repositories make lines");
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let login = "credential = { source = \"password\", username = \"alice\", password = \"wrong\" }";
    let scene = Scene::new(login, "").await;
    scene.pull().await;
    assert_eq!(scene.regpass.get(CORP).await.status, 200);
    scene.regpass.proxy.reloads.refused("1: no");
    let text = scene.regpass.metric("").join("\n");
    assert!(text.ends_with("\n# EOF") && text.matches("# EOF").count() == 1, "one exposition: {text}");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<&str, &str> = types.collect();
    assert_eq!(types.len(), text.matches("# TYPE").count(), "each is declared once");
    // As queries name them.
    let named = types.iter().map(|(name, kind)| match *kind {
        "counter" => (format!("{name}_total"), "counter"),
        "info" => (format!("{name}_info"), "info"),
        kind => ((*name).to_owned(), kind),
    });
    let found: BTreeMap<String, (&str, BTreeSet<String>)> =
        named.map(|(name, kind)| (name.clone(), (kind, labels(&text, &name, kind)))).collect();

    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeMap<String, (&str, BTreeSet<String>)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let labels = cells[2].split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
            (cells[0].trim_matches('`').to_owned(), (cells[1], labels))
        })
        .collect();
    // A login whose end is known is lent by a cloud: see `clouds`.
    let (lent, there): (BTreeMap<_, _>, BTreeMap<_, _>) =
        documented.into_iter().partition(|(name, _)| name == "regpass_credential_expiry_seconds");
    assert_eq!(lent.len(), 1);
    let found: BTreeMap<_, _> = found.into_iter().filter(|(name, _)| !lent.contains_key(name)).collect();
    assert_eq!(there, found, "docs/metrics.md on the left, /metrics on the right");
}

/// The names of the labels on the lines of a metric.
fn labels(text: &str, name: &str, kind: &str) -> BTreeSet<String> {
    let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
    let lines = text.lines().filter_map(|line| line.strip_prefix(&sample)?.strip_prefix('{'));
    let pairs = lines.flat_map(|line| line.split("=\"").map(ToOwned::to_owned).collect::<Vec<_>>());
    pairs.filter_map(|part| Some(part.rsplit([',', '{']).next()?.to_owned())).filter(|part| is_label(part)).collect()
}

fn is_label(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
