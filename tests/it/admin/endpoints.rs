//! The endpoints of the admin listener: methods, security headers, and the check of `Host` and `Origin`.

use http::Method;

use super::TwoRegistries;
use crate::harness::{request, with_header};
use crate::proxied_registry::with_host;

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
async fn endpoints_accept_only_get_and_head() {
    let setup = TwoRegistries::start("", "").await;
    for (path, kind) in ENDPOINTS {
        let reply = setup.regpass.get_admin(path).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(kind)), "{path}");
        assert!(!reply.body.is_empty(), "{path}");
        let head = setup.regpass.send_to_admin(request(Method::HEAD, path)).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = setup.regpass.send_to_admin(request(method.clone(), path)).await;
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{method} {path}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        }
    }
    for path in ["/nothing", "/status", "/v2/", "//", "/status.json/"] {
        for method in [Method::GET, Method::POST] {
            let reply = setup.regpass.send_to_admin(request(method, path)).await;
            assert_eq!(reply.status_and_code(), "404 UNSUPPORTED", "{path}");
            for (endpoint, _) in ENDPOINTS.iter().filter(|(path, _)| !path.ends_with("css") && !path.ends_with("js")) {
                assert!(reply.error().1.contains(endpoint), "{:?} does not name {endpoint}", reply.error());
            }
        }
    }
    setup.sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn replies_forbid_caching_sniffing_and_cross_origin_use() {
    let setup = TwoRegistries::start("", "").await;
    let paths = ENDPOINTS.iter().map(|(path, _)| *path).chain(["/nothing"]);
    for path in paths {
        let reply = setup.regpass.get_admin(path).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_of_another_site_opens_only_the_status_page() {
    let setup = TwoRegistries::start("", "").await;
    let fetched = async |path: &str, mode: &str, dest: &str| {
        let request = with_header(request(Method::GET, path), "sec-fetch-site", "cross-site");
        let request = with_header(with_header(request, "sec-fetch-mode", mode), "sec-fetch-dest", dest);
        setup.regpass.send_to_admin(request).await.status.as_u16()
    };
    for (path, _) in ENDPOINTS {
        assert_eq!(fetched(path, "navigate", "document").await, if path == "/" { 200 } else { 403 }, "{path}");
        for (mode, dest) in [("navigate", "iframe"), ("no-cors", "script"), ("no-cors", "image"), ("cors", "empty")] {
            assert_eq!(fetched(path, mode, dest).await, 403, "{path} {mode} {dest}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_hosts_and_origins_are_rejected_at_every_endpoint() {
    let setup = TwoRegistries::start("", "").await;
    let paths = ENDPOINTS.iter().map(|(path, _)| *path).chain(["/nothing"]);
    for path in paths {
        let foreign = setup.regpass.send_to_admin(with_host("evil.example", request(Method::GET, path))).await;
        assert_eq!(foreign.status_and_code(), "403 DENIED", "{path}");
        let page = with_header(request(Method::GET, path), "origin", "https://evil.example");
        assert_eq!(setup.regpass.send_to_admin(page).await.status_and_code(), "403 DENIED", "{path}");
        // The default `Host` of `request` has port 5050, so this origin is another one.
        let other_port = with_header(request(Method::GET, path), "origin", "http://localhost:5051");
        assert_eq!(setup.regpass.send_to_admin(other_port).await.status_and_code(), "403 DENIED", "{path}");
    }
    for host in ["localhost:5051", "127.0.0.1:5051", "[::1]:5051", "10.1.2.3:5051"] {
        assert_eq!(
            setup.regpass.send_to_admin(with_host(host, request(Method::GET, "/livez"))).await.status,
            200,
            "{host}"
        );
    }
    let own = with_header(with_host("localhost:5051", request(Method::GET, "/")), "origin", "http://localhost:5051");
    assert_eq!(setup.regpass.send_to_admin(own).await.status, 200);
}
