//! A headless Chromium, driven over `WebDriver`: it shows the page as a user sees it.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Daemon, isolated, program, stdout};

/// Chromium's arguments: it runs as root and without a graphics card.
const ARGUMENTS: [&str; 6] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1280,900",
];

/// Time limit for the page to show something, in milliseconds. The page polls every two seconds.
const TIME_LIMIT: u32 = 60_000;

/// Script that finishes once the expression `CONDITION` is true. The script evaluates `CONDITION` after every change of
/// the document.
const WAIT_SCRIPT: &str = "
    const done = arguments[arguments.length - 1];
    const isTrue = () => { try { return CONDITION; } catch { return false; } };
    if (isTrue()) return done(true);
    const check = (_, observer) => { if (isTrue()) { observer.disconnect(); done(true); } };
    const changes = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(check).observe(document, changes);
";

#[derive(Debug)]
pub(super) struct Browser {
    session: String,
    _driver: Daemon,
    home: TempDir,
}

impl Browser {
    pub(super) async fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory for chromium");
        // chromedriver prints its port on stdout. The isolation ends all processes that it started.
        let mut command = isolated("sh", home.path());
        command.args(["-c", "exec chromedriver --port=0 >&2"]);
        let driver = Daemon::start("chromedriver", command);
        let port: u16 = driver
            .wait_for_line(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .await;
        let mut browser = Self { session: format!("http://127.0.0.1:{port}/session"), _driver: driver, home };
        let logs = json!({ "browser": "ALL", "performance": "ALL" });
        let capabilities = json!({ "goog:chromeOptions": { "args": ARGUMENTS }, "goog:loggingPrefs": logs });
        let created = browser.command("", &json!({ "capabilities": { "alwaysMatch": capabilities } })).await;
        browser.session = format!("{}/{}", browser.session, created["sessionId"].as_str().expect("a session"));
        browser.command("/timeouts", &json!({ "implicit": TIME_LIMIT, "script": TIME_LIMIT })).await;
        browser
    }

    pub(super) async fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url })).await;
    }

    /// Runs the body of a function in the page and returns its result.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true in the page, without reloading it.
    pub(super) async fn wait_until(&self, condition: &str) {
        let script = WAIT_SCRIPT.replace("CONDITION", condition);
        let outcome = self.send("/execute/async", &json!({ "script": script, "args": [] })).await;
        assert_eq!(outcome, true, "still false after {TIME_LIMIT} ms: {condition}\n{}", self.text().await);
    }

    /// Waits for an element with this `XPath` and returns its text.
    pub(super) async fn element_text(&self, path: &str) -> String {
        let element = self.command("/element", &json!({ "using": "xpath", "value": path })).await;
        let id = element.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str).expect("an element");
        value(&stdout(&mut self.curl(&format!("/element/{id}/text"))).await).as_str().expect("text").to_owned()
    }

    /// The visible text of the page.
    pub(super) async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().expect("text").to_owned()
    }

    /// Sends a command of the `DevTools` protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// Saves a screenshot of the whole page.
    pub(super) async fn save_screenshot(&self, file: &Path) {
        let options = json!({ "format": "png", "captureBeyondViewport": true });
        let screenshot = self.devtools("Page.captureScreenshot", &options).await;
        let png = STANDARD.decode(screenshot["data"].as_str().expect("a picture")).expect("base64");
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is created");
        fs::write(file, png).expect("the picture is written");
    }

    /// The messages of the console, including loading errors and violations of the content security policy.
    pub(super) async fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" })).await;
        entries.as_array().expect("entries").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Takes the URLs of all requests that pages sent since the last call.
    pub(super) async fn take_requested_urls(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "performance" })).await;
        let messages = entries.as_array().expect("entries").iter().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|message| serde_json::from_str::<Value>(message).ok());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["message"]["params"]["request"]["url"].as_str().map(ToOwned::to_owned)).collect()
    }

    /// Sends a `WebDriver` command that must succeed.
    async fn command(&self, path: &str, body: &Value) -> Value {
        let value = self.send(path, body).await;
        assert!(value["error"].is_null(), "{path}: {value:#}");
        value
    }

    async fn send(&self, path: &str, body: &Value) -> Value {
        let mut curl = self.curl(path);
        curl.args(["--header", "content-type: application/json", "--data-binary"]).arg(body.to_string());
        value(&stdout(&mut curl).await)
    }

    fn curl(&self, path: &str) -> tokio::process::Command {
        let mut curl = program("curl", self.home.path());
        curl.args(["-q", "--silent", "--show-error"]).arg(format!("{}{path}", self.session));
        curl
    }
}

/// The value in a `WebDriver` response.
fn value(response: &str) -> Value {
    let mut response: Value = serde_json::from_str(response).unwrap_or_else(|_| panic!("not JSON: {response}"));
    response["value"].take()
}
