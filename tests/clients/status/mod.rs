//! The status page in a real browser: it updates itself, works without scripts, and is readable in light and dark.
//!
//! Screenshots are saved in `target/artifacts`.

mod browser;
mod foreign_page;

use std::path::{Path, PathBuf};

use serde_json::json;

use self::browser::Browser;
use crate::curl::{curl, fetch};
use crate::registry::Registry;
use crate::stack::{LONG_LIFETIME, Stack};

/// Script that returns the texts with too little contrast against their background (WCAG 2.2, 1.4.3).
const LOW_CONTRAST: &str = r"
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const channels = (color) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (color) => {
        const linear = [...channels(color)].slice(0, 3).map((c) => c / 255)
            .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const background = (element) => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor;
            if (channels(color)[3] === 255) return color;
        }
        return 'white';
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.nodeValue.trim(), element = walker.currentNode.parentElement;
        if (!text || element.closest('svg, noscript') || !element.checkVisibility()) continue;
        const [a, b] = [luminance(getComputedStyle(element).color), luminance(background(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${text}: ${ratio.toFixed(2)}`);
    }
    return found;
";

#[tokio::test]
async fn status_page_updates_itself_and_is_readable_without_scripts() {
    let registry = Registry::start_token(LONG_LIFETIME).await;
    let stack = Stack::start_with(registry, "admin.address = '127.0.0.1:0'\n").await;
    let page = format!("http://{}/", stack.regpass.admin_address().await);
    let browser = Browser::start().await;
    browser.open(&page).await;
    browser.wait_until("document.querySelector('#pulse').textContent === 'live'").await;
    assert!(browser.text().await.contains("Ready, no requests yet"));

    // A reload would lose this variable.
    browser.run("window.untouched = true").await;
    pull(&stack, "manifests/3.12").await;
    browser.wait_until("document.querySelector('[id=\"registry-docker.io\"] .state').textContent === 'healthy'").await;
    browser.wait_until("document.querySelectorAll('#requests tbody tr').length === 1").await;
    browser.run("document.querySelector('[id=\"tokens-docker.io\"]').open = true").await;
    pull(&stack, &format!("manifests/{}", stack.image.platforms[0].manifest)).await;
    pull(&stack, &format!("blobs/{}", stack.image.platforms[0].layer)).await;
    pull(&stack, "manifests/none").await;
    browser.wait_until("document.querySelectorAll('#requests tbody tr').length === 4").await;
    let text = browser.text().await;
    for expected in
        ["All is well", "read manifest docker.io/library/python:3.12", "repository:library/python:pull", "4×"]
    {
        assert!(text.contains(expected), "'{expected}' is missing in:\n{text}");
    }
    // A pull counts as finished after a quiet period.
    browser.wait_until("document.querySelectorAll('#images tbody tr').length === 2").await;
    let images = browser.run("return document.querySelector('#images').innerText").await.to_string();
    for expected in ["ok", "pull docker.io/library/python:3.12", "1 token fetched", "failed", "python:none"] {
        assert!(images.contains(expected), "'{expected}' is missing in:\n{images}");
    }
    assert_eq!(browser.run("return window.untouched").await, true, "the page was reloaded");

    assert_readable_in_every_layout(&browser).await;
    assert_paused_while_hidden(&browser).await;
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:#?}");
    assert_readable_without_scripts(&stack, &browser, &page).await;
    let requested = browser.take_requested_urls().await;
    assert!(requested.len() > 5, "{requested:?}");
    let external: Vec<_> =
        requested.iter().filter(|url| !url.starts_with(&page) && !url.starts_with("data:")).collect();
    assert!(external.is_empty(), "{external:#?}");

    browser.open(&page).await;
    browser.wait_until("document.querySelector('#pulse').textContent === 'live'").await;
    stack.finish();
    browser
        .wait_until("document.querySelector('#pulse').textContent.startsWith('regpass does not answer; as of ')")
        .await;
    assert!(browser.text().await.contains("All is well"), "the last known state is no longer displayed");
}

/// Sends a read of the image's repository, which may fail.
async fn pull(stack: &Stack, path: &str) {
    fetch(curl(stack.home()).arg(stack.regpass.url(&format!("/v2/library/python/{path}")))).await;
}

/// Checks contrast in light and dark, and that nothing is wider than a narrow screen.
async fn assert_readable_in_every_layout(browser: &Browser) {
    let mut backgrounds = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", &feature).await;
        backgrounds.push(browser.run("return getComputedStyle(document.body).backgroundColor").await);
        assert_eq!(browser.run(LOW_CONTRAST).await, json!([]), "low contrast in {scheme}");
        browser.save_screenshot(&artifact(&format!("status-{scheme}.png"))).await;
    }
    assert_ne!(backgrounds[0], backgrounds[1], "the same background in light and dark");
    let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
    browser.devtools("Emulation.setDeviceMetricsOverride", &phone).await;
    let too_wide = "return [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > 361 \
                && getComputedStyle(element.parentElement).overflow === 'visible').map((element) => element.outerHTML.slice(0, 90))";
    assert_eq!(
        browser.run("return document.documentElement.scrollWidth").await,
        360,
        "{}",
        browser.run(too_wide).await
    );
    browser.save_screenshot(&artifact("status-narrow.png")).await;
    browser.devtools("Emulation.clearDeviceMetricsOverride", &json!({})).await;
}

/// The page does not poll while it is hidden.
async fn assert_paused_while_hidden(browser: &Browser) {
    let set_visibility = |state: &str| {
        format!(
            "Object.defineProperty(document, 'visibilityState', {{ configurable: true, get: () => '{state}' }});
             document.dispatchEvent(new Event('visibilitychange'));"
        )
    };
    browser.run(&set_visibility("hidden")).await;
    browser.wait_until("document.querySelector('#pulse').textContent === 'paused'").await;
    browser.run(&set_visibility("visible")).await;
    browser.wait_until("document.querySelector('#pulse').textContent === 'live'").await;
}

/// Without scripts, the server renders the page and makes it reload itself.
async fn assert_readable_without_scripts(stack: &Stack, browser: &Browser, page: &str) {
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true })).await;
    browser.open(page).await;
    let headline = browser.element_text("//h1").await;
    assert_eq!(headline, "All is well");
    let image = "docker.io/library/python:3.12";
    assert_eq!(browser.element_text(&format!("//*[@id='images']//span[.='{image}']")).await, image);
    assert!(browser.element_text("//p[@id='pulse']").await.starts_with("as of "));
    pull(stack, "tags/list").await;
    assert_eq!(browser.element_text("//span[@class='operation'][.='list tags']").await, "list tags");
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": false })).await;
}

fn artifact(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts").join(name)
}
