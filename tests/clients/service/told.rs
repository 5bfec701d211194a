//! Where a problem of the configuration is told: log, metric, `/readyz`, `/status.json` and the status page.

use serde_json::Value;

use super::house::{Running, SOON};

/// The problem is told everywhere, in these words, and the process is as ready as before. The key that it is about is told
/// where the configuration is spoken of; a line of the log may be about the file alone.
pub(super) async fn everywhere(regpass: &Running, mark: usize, what: &str, key: &str, words: &[&str]) {
    let has_words = |text: &str| words.iter().all(|word| text.contains(word));
    let has_all = |text: &str| text.contains(key) && has_words(text);
    regpass.soon(&format!("{what}: {words:?} in /status.json"), async || has_all(&problems(regpass).await)).await;

    let is_line = |line: &str| (line.contains("WARN") || line.contains("ERROR")) && has_words(&unquoted(line));
    let logged = regpass.daemon.line_after(mark, |line| is_line(line).then_some(()));
    tokio::time::timeout(SOON, logged).await.unwrap_or_else(|_| panic!("{what}: {words:?} in the log"));
    let metrics = regpass.admin_page("/metrics").await;
    assert!(metrics.contains("regpass_config_good 0\n"), "{what}: {metrics}");
    let readiness = regpass.admin_page("/readyz").await;
    assert!(readiness.starts_with("ok\n") && has_all(&readiness), "{what}: {words:?} in {readiness}");
    assert_eq!(regpass.admin_status("/readyz").await, "200", "{what}");
    let notices = notices(regpass).await;
    assert!(has_all(&notices), "{what}: {words:?} in {notices}");
}

/// Nothing is told anywhere any more, soon after what was wrong has been mended.
pub(super) async fn nowhere(regpass: &Running, what: &str) {
    regpass.soon(&format!("{what}: no problem in /status.json"), async || problems(regpass).await.is_empty()).await;
    let metrics = regpass.admin_page("/metrics").await;
    assert!(metrics.contains("regpass_config_good 1\n"), "{what}: {metrics}");
    let readiness = regpass.admin_page("/readyz").await;
    assert!(
        !readiness.contains("configuration refused") && !readiness.contains("cannot be used"),
        "{what}: {readiness}"
    );
    let notices = notices(regpass).await;
    assert_eq!(notices, "", "{what}");
}

/// What `/status.json` says is wrong with the configuration and its files.
async fn problems(regpass: &Running) -> String {
    let status: Value = serde_json::from_str(&regpass.admin_page("/status.json").await).expect("JSON");
    let configuration = &status["configuration"];
    let refused = configuration["refused"]["problems"].as_str().unwrap_or_default();
    let troubles = configuration["troubles"].as_array().expect("a list").iter();
    let told = troubles.map(|trouble| {
        format!("{}: {}", trouble["key"].as_str().expect("a key"), trouble["message"].as_str().expect("a message"))
    });
    std::iter::once(refused.to_owned()).chain(told).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What stands at the top of the status page.
async fn notices(regpass: &Running) -> String {
    let page = regpass.admin_page("/").await;
    let (_, notices) = page.split_once("<div id=\"notices\">").expect("notices");
    unquoted(notices.split_once("</div>").expect("their end").0)
}

/// As a person reads it.
fn unquoted(text: &str) -> String {
    text.replace("&quot;", "\"").replace("\\\"", "\"")
}
