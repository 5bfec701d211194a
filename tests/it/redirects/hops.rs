//! Chains of redirects: the token is sent to the registry only, and the number of hops is limited.

use http::Method;

use super::{TO_BLOBS, start};
use crate::harness::request;
use crate::sim::{AuthMode, Fault, Hop, HopTarget, Preset};

#[tokio::test(start_paused = true)]
async fn every_redirect_status_is_followed_without_the_token() {
    for status in [301, 302, 303, 307, 308] {
        let setup = start(&[Hop::new(status, HopTarget::BlobStore)], "").await;
        let reply = setup.regpass.get(&setup.target).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 100_000), "{status}");
        setup.assert_whole(&reply);
        assert_eq!(reply.header("docker-content-digest"), Some(&*setup.blob.digest));
        assert_eq!(reply.header("location"), None);
        setup.expect(&[setup.at_registry("GET", status), setup.at_signed_url("blobs", 200)]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn redirect_within_the_registrys_origin_is_followed_without_the_token() {
    for hop in [HopTarget::SameOrigin, HopTarget::Registry] {
        let setup = start(&[Hop::new(307, hop)], "").await;
        setup.assert_whole(&setup.regpass.get(&setup.target).await);
        setup.expect(&[setup.at_registry("GET", 307), setup.at_signed_url("registry", 200)]);
        let head = setup.regpass.send(request(Method::HEAD, &setup.target)).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some("100000")));
    }
}

#[tokio::test(start_paused = true)]
async fn redirect_back_to_the_registry_is_followed_without_the_token() {
    let back = [
        Hop::new(307, HopTarget::SameOrigin),
        TO_BLOBS,
        Hop::new(302, HopTarget::Registry),
        Hop::new(302, HopTarget::SameOrigin),
    ];
    let setup = start(&back, "").await;
    setup.assert_whole(&setup.regpass.get(&setup.target).await);
    setup.expect(&[
        setup.at_registry("GET", 307),
        setup.at_hop(1, "registry", 307),
        setup.at_hop(2, "blobs", 302),
        setup.at_hop(3, "registry", 302),
        setup.at_signed_url("registry", 200),
    ]);
}

#[tokio::test(start_paused = true)]
async fn more_than_five_hops_are_502() {
    let setup = start(&[TO_BLOBS; 5], "").await;
    setup.assert_whole(&setup.regpass.get(&setup.target).await);
    assert_eq!(setup.sim.ledger().take().len(), 6);
    let setup = start(&[TO_BLOBS; 6], "").await;
    let reply = setup.regpass.get(&setup.target).await;
    assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("more than 5 times"), "{reply:?}");
    assert_eq!(setup.sim.ledger().take().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn redirect_loop_is_502() {
    let setup = start(&[TO_BLOBS], "").await;
    setup.registry.blob_store().inject(Fault::redirect_to_itself(302));
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(setup.regpass.send(request(method, &setup.target)).await.status, 502);
        assert_eq!(setup.sim.ledger().take().len(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn relative_location_is_resolved_against_the_redirecting_url() {
    let setup = start(&[TO_BLOBS], "").await;
    let signed = setup.regpass.get(&setup.target).await;
    assert_eq!(signed.status, 200);
    let query = setup.sim.ledger().take()[1].query.clone();
    let digest = &setup.blob.digest;
    for location in [
        format!("/signed/{digest}?{query}"),
        format!("../../../../signed/{digest}?{query}"),
        format!("./../../x/../../../signed/{digest}?{query}#fragment"),
        format!("//{}/signed/{digest}?{query}", setup.registry.authority()),
        format!("HTTP://{}:80/signed/{digest}?{query}", setup.registry.authority().to_uppercase()),
    ] {
        let fault = setup.registry.api().inject(Fault::redirect(307, &location).path("/v2/"));
        setup.assert_whole(&setup.regpass.get(&setup.target).await);
        setup.expect(&[setup.at_registry("GET", 307), setup.at_signed_url("registry", 200)]);
        fault.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn other_ports_and_similar_host_names_are_other_origins() {
    let setup = start(&[TO_BLOBS], "").await;
    let host = setup.registry.authority().to_owned();
    for elsewhere in
        [format!("http://{host}:8080/x"), format!("http://{host}.evil.test/x"), format!("http://evil{host}/x")]
    {
        let fault = setup.registry.api().inject(Fault::redirect(307, &elsewhere).path("/v2/"));
        assert_eq!(setup.regpass.get(&setup.target).await.status, 502);
        fault.remove();
    }
    // A request to another origin carries no authorization, and does not reuse a connection to the registry.
    let evil = setup.sim.start(Preset::distribution(AuthMode::Open).named("evil")).await;
    setup.registry.api().inject(Fault::redirect(307, &format!("{}/signed/x", evil.origin())).path("/v2/"));
    setup.sim.ledger().take();
    assert_eq!(setup.regpass.get(&setup.target).await.status, 502);
    let requests = setup.sim.ledger().take();
    assert!(
        requests
            .iter()
            .filter(|entry| entry.server.starts_with("evil"))
            .all(|entry| entry.authorization == crate::sim::RequestAuth::None)
    );
}
