//! A page of another origin in a real browser tries to read, execute, embed, time and count what regpass serves: it gets
//! nothing, and regpass sends no request for it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::browser::Browser;
use crate::regpass::Regpass;
use crate::sim::{Call, Handler, Image, ImageFormat, Preset, Registry, Reply, Role, Rule, Sim};

/// Every way that a page has to load a URL. Returns what it learns from each: how loading ended, what it can measure, and
/// whatever it can read.
const ATTEMPTS: &str = r"
    const url = arguments_url;
    const element = (name, attributes, parent = document.body) => new Promise((done) => {
        const one = document.createElement(name);
        one.onload = () => done('load');
        one.onerror = () => done('error');
        Object.assign(one, attributes);
        parent.append(one);
        setTimeout(() => done('nothing'), 3000);
    });
    const request = (options) => fetch(url, options).then(
        async (answer) => `${answer.type} ${answer.status} ${(await answer.text().catch(() => '')).length}`, () => 'error');
    const frame = async () => {
        const one = document.createElement('iframe');
        const loaded = new Promise((done) => { one.onload = () => done(); setTimeout(done, 3000); });
        one.src = url;
        document.body.append(one);
        await loaded;
        let text = 'not readable';
        try { text = one.contentDocument?.body.innerText ?? 'not readable'; } catch {}
        return `${one.contentWindow.length} ${text}`;
    };
    const stream = () => new Promise((done) => {
        const events = new EventSource(url);
        events.onerror = () => { events.close(); done('error'); };
        events.onopen = () => done('open');
    });
    const socket = () => new Promise((done) => {
        const one = new WebSocket(url.replace('http', 'ws'));
        one.onerror = () => done('error');
        one.onopen = () => done('open');
    });
    return (async () => {
        const learned = {
            fetch: await request({}),
            opaque: await request({ mode: 'no-cors' }),
            credentials: await request({ credentials: 'include' }),
            post: await request({ method: 'POST', mode: 'no-cors', body: 'x' }),
            range: await request({ headers: { range: 'bytes=0-9' } }),
            script: await element('script', { src: url }),
            module: await element('script', { src: url, type: 'module' }),
            image: await element('img', { src: url }),
            style: await element('link', { href: url, rel: 'stylesheet' }, document.head),
            video: await element('video', { src: url, preload: 'auto' }),
            object: await element('object', { data: url }),
            frame: await frame(),
            events: await stream(),
            socket: await socket(),
            beacon: navigator.sendBeacon(url, 'x'),
        };
        const entries = performance.getEntriesByName(url);
        learned.measured = [...new Set(entries.map((one) => `${one.responseStatus} ${one.transferSize} ${one.encodedBodySize}`))];
        return learned;
    })();
";

#[tokio::test(flavor = "multi_thread")]
async fn page_of_another_origin_learns_nothing_and_causes_no_request() {
    let sim = Sim::loopback();
    let registry = sim.start(Preset::docker_hub()).await;
    let image = Image::single("app", ImageFormat::Oci);
    registry.add_user("alice", "alices-password");
    registry.publish_private("alice/app", "1", &image);
    // A browser asks for pages in its own way, which is none of the rules for regpass.
    let pages = Sim::loopback();
    pages.allow(Rule::ForeignHost);
    pages.allow(Rule::ForwardedHeader);
    let page = pages.serve("page", Role::Other("page"), empty_page()).await;
    let regpass = Regpass::start(&config(&registry)).await;
    let browser = Browser::start().await;
    let manifest = format!("http://{}/v2/alice/app/manifests/1", regpass.address);
    let missing = format!("http://{}/v2/alice/app/manifests/2", regpass.address);
    let upstream_requests = || sim.ledger().entries().len();

    // Another port of the same host is another origin, another name another site.
    for origin in [page.origin(), page.origin().replace("127.0.0.1", "localhost")] {
        let learned = learn(&browser, &origin, &manifest).await;
        assert_eq!(learned, learn(&browser, &origin, &missing).await, "what exists looks like what does not: {origin}");
        let shown = learned.to_string();
        assert!(!shown.contains("mediaType") && !shown.contains("open"), "{shown}");
        for (kind, outcome) in [
            ("fetch", "error"),
            ("script", "error"),
            ("image", "error"),
            ("style", "error"),
            ("frame", "0 not readable"),
        ] {
            assert_eq!(learned[kind], outcome, "{origin}: {learned:#}");
        }
        assert_eq!(upstream_requests(), 0, "{origin}");

        browser.open(&origin).await;
        browser.run(&format!("location.href = '{manifest}'")).await;
        browser.wait_until("location.href.includes('/v2/') && document.readyState === 'complete'").await;
        assert!(!browser.text().await.contains("mediaType"), "by a link from {origin}");
        assert_eq!(upstream_requests(), 0, "by a link from {origin}");
    }
    // The same URL in the address bar is the user's own request.
    browser.open("about:blank").await;
    browser.open(&manifest).await;
    assert!(upstream_requests() > 0, "the user's own navigation reaches the registry");
    regpass.stop();
    sim.finish();
}

/// What a page at `origin` learns about `target`.
async fn learn(browser: &Browser, origin: &str, target: &str) -> Value {
    browser.open(origin).await;
    let script = ATTEMPTS.replace("arguments_url", &json!(target).to_string());
    browser.run(&script).await
}

fn config(registry: &Registry) -> String {
    format!(
        "allow = [\"pull\", \"push\", \"delete\"]\ndefault_registry = \"reg.test\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n\
         [registry.\"reg.test\"]\nurl = \"{}\"\nrealm_hosts = [\"{}\"]\n\
         credential = {{ source = \"password\", username = \"alice\", password = \"alices-password\" }}\n",
        registry.origin(),
        registry.token_service().authority()
    )
}

fn empty_page() -> Handler {
    Arc::new(|_: Call| Box::pin(async { Reply::new(200).html("<!doctype html><title>page</title><body></body>") }))
}
