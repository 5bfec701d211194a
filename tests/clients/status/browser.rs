//! A headless Chromium, driven over `WebDriver`: what a person sees who has the page open.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Daemon, plain, private, stdout};

/// What it is told once: it runs as root, and draws without a graphics card.
const ARGUMENTS: [&str; 6] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1280,900",
];

/// How long the page may take to show something, in milliseconds; it looks every two seconds.
const PATIENCE: u32 = 60_000;

/// Reports when `holds` does, looking again whenever the document changes.
const UNTIL: &str = "
    const done = arguments[arguments.length - 1];
    const holds = () => { try { return HOLDS; } catch { return false; } };
    if (holds()) return done(true);
    const look = (_, observer) => { if (holds()) { observer.disconnect(); done(true); } };
    const what = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(look).observe(document, what);
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
        // Dies with all it started, and says on stdout where it listens.
        let mut command = private("sh", home.path());
        command.args(["-c", "exec chromedriver --port=0 >&2"]);
        let driver = Daemon::start("chromedriver", command);
        let port: u16 =
            driver.line(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()).await;
        let mut browser = Self { session: format!("http://127.0.0.1:{port}/session"), _driver: driver, home };
        let logs = json!({ "browser": "ALL", "performance": "ALL" });
        let wanted = json!({ "goog:chromeOptions": { "args": ARGUMENTS }, "goog:loggingPrefs": logs });
        let made = browser.command("", &json!({ "capabilities": { "alwaysMatch": wanted } })).await;
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().expect("a session"));
        browser.command("/timeouts", &json!({ "implicit": PATIENCE, "script": PATIENCE })).await;
        browser
    }

    pub(super) async fn open(&self, url: &str) {
        self.command("/url", &json!({ "url": url })).await;
    }

    /// What the body of a function returns in the page.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Waits until an expression is true in the page, without asking the page to load again.
    pub(super) async fn until(&self, holds: &str) {
        let script = UNTIL.replace("HOLDS", holds);
        let outcome = self.answer("/execute/async", &json!({ "script": script, "args": [] })).await;
        assert_eq!(outcome, true, "never came true: {holds}\n{}", self.text().await);
    }

    /// The text of the first element that an `XPath` finds, as soon as it finds one.
    pub(super) async fn find(&self, path: &str) -> String {
        let found = self.command("/element", &json!({ "using": "xpath", "value": path })).await;
        let id = found.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str).expect("an element");
        self.read(&format!("/element/{id}/text")).await.as_str().expect("text").to_owned()
    }

    /// Everything that can be read on the page.
    pub(super) async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().expect("text").to_owned()
    }

    /// A command of the `DevTools` protocol.
    pub(super) async fn tell(&self, command: &str, parameters: &Value) -> Value {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// Keeps a picture of the whole page.
    pub(super) async fn picture(&self, file: &Path) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.tell("Page.captureScreenshot", &whole).await;
        let png = STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for pictures");
        fs::write(file, png).expect("a picture");
    }

    /// What the console says, errors of loading and of the page's policy among it.
    pub(super) async fn console(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "browser" })).await;
        entries.as_array().expect("entries").iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Every URL that pages asked for since this was last called.
    pub(super) async fn requested(&self) -> Vec<String> {
        let entries = self.command("/se/log", &json!({ "type": "performance" })).await;
        let messages = entries.as_array().expect("entries").iter().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|message| serde_json::from_str::<Value>(message).ok());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["message"]["params"]["request"]["url"].as_str().map(ToOwned::to_owned)).collect()
    }

    async fn command(&self, path: &str, body: &Value) -> Value {
        let value = self.answer(path, body).await;
        assert!(value["error"].is_null(), "{path}: {value:#}");
        value
    }

    async fn answer(&self, path: &str, body: &Value) -> Value {
        let mut curl = self.curl(path);
        curl.args(["--header", "content-type: application/json", "--data-binary"]).arg(body.to_string());
        value(&stdout(&mut curl).await)
    }

    async fn read(&self, path: &str) -> Value {
        value(&stdout(&mut self.curl(path)).await)
    }

    fn curl(&self, path: &str) -> tokio::process::Command {
        let mut curl = plain("curl", self.home.path());
        curl.args(["-q", "--silent", "--show-error"]).arg(format!("{}{path}", self.session));
        curl
    }
}

fn value(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("no JSON: {answer}"));
    answer["value"].take()
}
