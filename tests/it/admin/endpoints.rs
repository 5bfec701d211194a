//! What there is at the admin listener, for whom, and under which headers.

use http::Method;

use super::Scene;
use crate::harness::{request, with};
use crate::stage::at;

const ENDPOINTS: [(&str, &str); 7] = [
    ("/", "text/html; charset=utf-8"),
    ("/status.css", "text/css; charset=utf-8"),
    ("/status.js", "text/javascript; charset=utf-8"),
    ("/status.json", "application/json"),
    ("/livez", "text/plain; charset=utf-8"),
    ("/readyz", "text/plain; charset=utf-8"),
    ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
];

#[tokio::test(start_paused = true)]
async fn each_takes_get_and_head_and_nothing_else() {
    let scene = Scene::new("", "").await;
    for (path, kind) in ENDPOINTS {
        let reply = scene.regpass.admin(path).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(kind)), "{path}");
        assert!(!reply.body.is_empty(), "{path}");
        let head = scene.regpass.ask(request(Method::HEAD, path)).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = scene.regpass.ask(request(method.clone(), path)).await;
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{method} {path}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
    }
    for path in ["/nothing", "/status", "/v2/", "//", "/status.json/"] {
        for method in [Method::GET, Method::POST] {
            let reply = scene.regpass.ask(request(method, path)).await;
            assert_eq!(reply.verdict(), "404 UNSUPPORTED", "{path}");
            for (endpoint, _) in ENDPOINTS.iter().filter(|(path, _)| !path.ends_with("css") && !path.ends_with("js")) {
                assert!(reply.error().1.contains(endpoint), "{:?} names {endpoint}", reply.error());
            }
        }
    }
    scene.sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_for_its_own_page_only_and_kept_by_nobody() {
    let scene = Scene::new("", "").await;
    let paths = ENDPOINTS.iter().map(|(path, _)| *path).chain(["/nothing"]);
    for path in paths {
        let reply = scene.regpass.admin(path).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_hosts_and_origins_are_refused_everywhere() {
    let scene = Scene::new("", "").await;
    let paths = ENDPOINTS.iter().map(|(path, _)| *path).chain(["/nothing"]);
    for path in paths {
        let foreign = scene.regpass.ask(at("evil.example", request(Method::GET, path))).await;
        assert_eq!(foreign.verdict(), "403 DENIED", "{path}");
        let page = with(request(Method::GET, path), "origin", "https://evil.example");
        assert_eq!(scene.regpass.ask(page).await.verdict(), "403 DENIED", "{path}");
        // Not even the proxy's own page: its port is another.
        let sibling = with(request(Method::GET, path), "origin", "http://localhost:5051");
        assert_eq!(scene.regpass.ask(sibling).await.verdict(), "403 DENIED", "{path}");
    }
    for host in ["localhost:5051", "127.0.0.1:5051", "[::1]:5051", "10.1.2.3:5051"] {
        assert_eq!(scene.regpass.ask(at(host, request(Method::GET, "/livez"))).await.status, 200, "{host}");
    }
    let own = with(at("localhost:5051", request(Method::GET, "/")), "origin", "http://localhost:5051");
    assert_eq!(scene.regpass.ask(own).await.status, 200);
}
