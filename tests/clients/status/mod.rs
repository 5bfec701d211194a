//! The status page in a real browser: live without a reload, readable without a script, in light and in dark.
//!
//! Leaves pictures in `target/artifacts`.

mod browser;

use std::path::{Path, PathBuf};

use serde_json::json;

use self::browser::Browser;
use crate::curl::{curl, fetch};
use crate::registry::Registry;
use crate::scene::{LONG, Login, Scene};

/// The texts with too little contrast (WCAG 2.2, 1.4.3) against what is behind them.
const FAINT: &str = r"
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const channels = (color) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = (color) => {
        const linear = [...channels(color)].slice(0, 3).map((c) => c / 255)
            .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor;
            if (channels(color)[3] === 255) return color;
        }
        return 'white';
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.nodeValue.trim(), element = walker.currentNode.parentElement;
        if (!text || element.closest('svg, noscript') || !element.checkVisibility()) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.push(`${text}: ${ratio.toFixed(2)}`);
    }
    return faint;
";

#[tokio::test]
async fn it_is_live_and_pleasant_to_read() {
    let registry = Registry::start_token(LONG).await;
    let scene = Scene::set_with(registry, Login::Password, "admin.address = '127.0.0.1:0'\n").await;
    let page = format!("http://{}/", scene.regpass.admin().await);
    let browser = Browser::start().await;
    browser.open(&page).await;
    browser.until("document.querySelector('#pulse').textContent === 'live'").await;
    assert!(browser.text().await.contains("Ready, and not asked for anything yet"));

    // What a reload would lose.
    browser.run("window.untouched = true").await;
    pull(&scene, "manifests/3.12").await;
    browser.until("document.querySelector('[id=\"registry-docker.io\"] .state').textContent === 'healthy'").await;
    browser.until("document.querySelectorAll('#requests tbody tr').length === 1").await;
    browser.run("document.querySelector('[id=\"tokens-docker.io\"]').open = true").await;
    pull(&scene, &format!("manifests/{}", scene.image.platforms[0].manifest)).await;
    pull(&scene, &format!("blobs/{}", scene.image.platforms[0].layer)).await;
    pull(&scene, "manifests/none").await;
    browser.until("document.querySelectorAll('#requests tbody tr').length === 4").await;
    let text = browser.text().await;
    for told in ["All is well", "read manifest docker.io/library/python:3.12", "repository:library/python:pull", "4×"]
    {
        assert!(text.contains(told), "'{told}' is missing in:\n{text}");
    }
    // They are over when it has been quiet for a while.
    browser.until("document.querySelectorAll('#images tbody tr').length === 2").await;
    let images = browser.run("return document.querySelector('#images').innerText").await.to_string();
    for told in ["ok", "pull docker.io/library/python:3.12", "1 token fetched", "failed", "python:none"] {
        assert!(images.contains(told), "'{told}' is missing in:\n{images}");
    }
    assert_eq!(browser.run("return window.untouched").await, true, "it was not loaded again");

    looks(&browser).await;
    hidden(&browser).await;
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:#?}");
    without_scripts(&scene, &browser, &page).await;
    let requested = browser.requested().await;
    assert!(requested.len() > 5, "{requested:?}");
    let foreign: Vec<_> = requested.iter().filter(|url| !url.starts_with(&page) && !url.starts_with("data:")).collect();
    assert!(foreign.is_empty(), "{foreign:#?}");

    browser.open(&page).await;
    browser.until("document.querySelector('#pulse').textContent === 'live'").await;
    scene.close();
    browser.until("document.querySelector('#pulse').textContent.startsWith('regpass does not answer; as of ')").await;
    assert!(browser.text().await.contains("All is well"), "what was known stays");
}

/// A read of the image's repository, whatever comes of it.
async fn pull(scene: &Scene, path: &str) {
    fetch(curl(scene).arg(scene.regpass.url(&format!("/v2/library/python/{path}")))).await;
}

/// In light and dark, wide and narrow.
async fn looks(browser: &Browser) {
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.tell("Emulation.setEmulatedMedia", &feature).await;
        papers.push(browser.run("return getComputedStyle(document.body).backgroundColor").await);
        assert_eq!(browser.run(FAINT).await, json!([]), "faint in {scheme}");
        browser.picture(&artifact(&format!("status-{scheme}.png"))).await;
    }
    assert_ne!(papers[0], papers[1], "light and dark differ");
    let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
    browser.tell("Emulation.setDeviceMetricsOverride", &phone).await;
    let wide = "return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > 361 \
                && getComputedStyle(one.parentElement).overflow === 'visible').map((one) => one.outerHTML.slice(0, 90))";
    assert_eq!(browser.run("return document.documentElement.scrollWidth").await, 360, "{}", browser.run(wide).await);
    browser.picture(&artifact("status-narrow.png")).await;
    browser.tell("Emulation.clearDeviceMetricsOverride", &json!({})).await;
}

/// Nobody looks, nobody asks.
async fn hidden(browser: &Browser) {
    let turn = |state: &str| {
        format!(
            "Object.defineProperty(document, 'visibilityState', {{ configurable: true, get: () => '{state}' }});
             document.dispatchEvent(new Event('visibilitychange'));"
        )
    };
    browser.run(&turn("hidden")).await;
    browser.until("document.querySelector('#pulse').textContent === 'paused'").await;
    browser.run(&turn("visible")).await;
    browser.until("document.querySelector('#pulse').textContent === 'live'").await;
}

/// The same, told by the server alone, which has the page load itself again.
async fn without_scripts(scene: &Scene, browser: &Browser, page: &str) {
    browser.tell("Emulation.setScriptExecutionDisabled", &json!({ "value": true })).await;
    browser.open(page).await;
    let headline = browser.find("//h1").await;
    assert_eq!(headline, "All is well");
    let image = "docker.io/library/python:3.12";
    assert_eq!(browser.find(&format!("//*[@id='images']//span[.='{image}']")).await, image);
    assert!(browser.find("//p[@id='pulse']").await.starts_with("as of "));
    pull(scene, "tags/list").await;
    assert_eq!(browser.find("//span[@class='operation'][.='list tags']").await, "list tags");
    browser.tell("Emulation.setScriptExecutionDisabled", &json!({ "value": false })).await;
}

fn artifact(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts").join(name)
}
