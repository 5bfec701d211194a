//! Extensions of the API below a repository name: reads pass, with the rights of a pull.

use http::Method;

use super::Setup;
use crate::harness::{Regpass, request, single_registry_config};
use crate::sim::{self, AuthMode, Fault, Image, ImageFormat, Preset, Sim};

const DISCOVER: &str = "/v2/acme/app/_oci/ext/discover";
const DOCUMENT: &str = r#"{"extensions":[{"name":"_oci"}]}"#;

#[tokio::test(start_paused = true)]
async fn extension_is_read_with_the_token_of_a_pull() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::distribution(AuthMode::Token)).await;
    registry.publish("acme/app", "1", &Image::single("app", ImageFormat::Docker));
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, ""));
    assert_eq!(regpass.get("/v2/acme/app/tags/list").await.status, 200);
    sim.ledger().take();
    // The fault keeps the registry's check of the token: only its 404 becomes a document.
    registry.api().inject(
        Fault::alter(
            |_, reply| {
                if reply.status == 404 { sim::Reply::new(200).body("application/json", DOCUMENT) } else { reply }
            },
        )
        .path("/_"),
    );
    for target in [DISCOVER, "/v2/acme/app/_chainguard/history/3.10?n=5&x=a%2Fb"] {
        let reply = regpass.get(target).await;
        assert_eq!((reply.status.as_u16(), &*reply.body), (200, DOCUMENT.as_bytes()), "{target}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let decoded = target.replace("%2F", "/");
        sim.ledger().expect(&[&format!("registry GET {decoded} bearer#1 200")]);
    }
    assert_eq!(regpass.head(DISCOVER).await.status, 200);
    sim.ledger().take();
    let requests = regpass.metric("regpass_requests_total").join("\n");
    assert!(requests.contains("operation=\"read-extension\""), "{requests}");
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let reply = regpass.send(request(method, DISCOVER)).await;
        assert_eq!((&*reply.status_and_code(), reply.header("allow")), ("405 UNSUPPORTED", Some("GET, HEAD")));
    }
    sim.ledger().expect(&[]);
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn missing_extension_is_a_404() {
    let setup = Setup::start("").await;
    assert_eq!(setup.regpass.get(DISCOVER).await.status_and_code(), "404 UNSUPPORTED");
    for fault in [
        Fault::redirect(303, "https://website.test/acme"),
        Fault::html(200),
        Fault::html(404),
        Fault::redirect(302, "/login"),
    ] {
        setup.sim.ledger().take();
        let reply = setup.get_with_fault(fault, DISCOVER).await;
        assert_eq!(reply.status_and_code(), "404 UNSUPPORTED");
        assert_eq!(setup.sim.ledger().take().len(), 1, "one request, and no redirect is followed");
    }
}

#[tokio::test(start_paused = true)]
async fn next_page_of_an_extension_is_at_regpass() {
    let setup = Setup::start("").await;
    let page = sim::Reply::new(200)
        .body("application/json", DOCUMENT)
        .header("link", "<https://elsewhere.test/v2/acme/app/_oci/ext/discover?last=x&n=1>; rel=\"next\"");
    let reply = setup.get_with_fault(Fault::answer(page), &format!("{DISCOVER}?n=1&ns=reg.test")).await;
    let link = format!("<{DISCOVER}?last=x&n=1&ns=reg.test>; rel=\"next\"");
    assert_eq!(reply.header("link"), Some(&*link));
}

#[tokio::test(start_paused = true)]
async fn repositories_apply_to_extensions() {
    let setup = Setup::start("repositories = [\"other/**\"]").await;
    assert_eq!(setup.regpass.get(DISCOVER).await.status_and_code(), "403 DENIED");
    setup.sim.ledger().expect(&[]);
}
