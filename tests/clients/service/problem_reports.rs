//! The places that report a problem of the configuration: log, metric, `/readyz`, `/status.json` and the status page.

use serde_json::Value;

use super::testbed::{RELOAD_LIMIT, RunningRegpass};

/// Checks that every place reports the problem in time with these words, and that regpass stays ready. All places but the
/// log, which may name only the file, also name `key`. `skip` is the length of the log before the problem arose.
pub(super) async fn assert_shown(regpass: &RunningRegpass, skip: usize, case: &str, key: &str, words: &[&str]) {
    let has_words = |text: &str| words.iter().all(|word| text.contains(word));
    let has_key_and_words = |text: &str| text.contains(key) && has_words(text);
    let in_status = async || has_key_and_words(&problems(regpass).await);
    regpass.eventually(&format!("{case}: {words:?} in /status.json"), in_status).await;

    let is_report = |line: &str| (line.contains("WARN") || line.contains("ERROR")) && has_words(&unescaped(line));
    let logged = regpass.daemon.wait_for_line_after(skip, |line| is_report(line).then_some(()));
    tokio::time::timeout(RELOAD_LIMIT, logged).await.unwrap_or_else(|_| panic!("{case}: {words:?} in the log"));
    let metrics = regpass.admin_page("/metrics").await;
    assert!(metrics.contains("regpass_config_good 0\n"), "{case}: {metrics}");
    let readiness = regpass.admin_page("/readyz").await;
    assert!(readiness.starts_with("ok\n") && has_key_and_words(&readiness), "{case}: {words:?} in {readiness}");
    assert_eq!(regpass.admin_status("/readyz").await, "200", "{case}");
    let notices = notices(regpass).await;
    assert!(has_key_and_words(&notices), "{case}: {words:?} in {notices}");
}

/// Checks that, within [`RELOAD_LIMIT`], no place reports a problem any more.
pub(super) async fn assert_cleared(regpass: &RunningRegpass, case: &str) {
    let is_cleared = async || problems(regpass).await.is_empty();
    regpass.eventually(&format!("{case}: no problem in /status.json"), is_cleared).await;
    let metrics = regpass.admin_page("/metrics").await;
    assert!(metrics.contains("regpass_config_good 1\n"), "{case}: {metrics}");
    let readiness = regpass.admin_page("/readyz").await;
    assert!(
        !readiness.contains("configuration rejected") && !readiness.contains("cannot be used"),
        "{case}: {readiness}"
    );
    assert_eq!(notices(regpass).await, "", "{case}");
}

/// The problems of the configuration and of its files in `/status.json`.
async fn problems(regpass: &RunningRegpass) -> String {
    let status: Value = serde_json::from_str(&regpass.admin_page("/status.json").await).expect("JSON");
    let configuration = &status["configuration"];
    let rejected = configuration["refused"]["problems"].as_str().unwrap_or_default();
    let files = configuration["troubles"].as_array().expect("a list").iter();
    let files = files.map(|problem| {
        format!("{}: {}", problem["key"].as_str().expect("a key"), problem["message"].as_str().expect("a message"))
    });
    std::iter::once(rejected.to_owned()).chain(files).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The notices at the top of the status page.
async fn notices(regpass: &RunningRegpass) -> String {
    let page = regpass.admin_page("/").await;
    let (_, notices) = page.split_once("<div id=\"notices\">").expect("notices");
    unescaped(notices.split_once("</div>").expect("the end of the notices").0)
}

/// `text` with its HTML and JSON quotes unescaped.
fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("\\\"", "\"")
}
