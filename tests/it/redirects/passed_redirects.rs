//! `redirects = "pass"`, redirects of manifests, and redirects of lists, which are not followed.

use super::{TO_BLOBS, start};
use crate::sim::{AuthMode, Fault, Hop, HopTarget, Image, ImageFormat, Preset};

#[tokio::test(start_paused = true)]
async fn pass_sends_the_signed_url_to_the_client_but_follows_for_head() {
    let setup = start(&[TO_BLOBS], "redirects = \"pass\"").await;
    let reply = setup.regpass.get(&setup.target).await;
    let location = reply.header("location").unwrap();
    assert!(location.starts_with(&format!("http://blobs.distribution.test/signed/{}?expires=", setup.blob.digest)));
    assert_eq!((reply.status.as_u16(), reply.body.len()), (307, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(&*setup.blob.digest));
    setup.expect(&[setup.at_registry("GET", 307)]);
    let reply = setup.regpass.head(&setup.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")));
    setup.expect(&[setup.at_registry("HEAD", 307), setup.at_signed_url("blobs", 206)]);
}

#[tokio::test(start_paused = true)]
async fn pass_follows_redirects_within_the_registrys_origin() {
    let setup = start(&[Hop::new(307, HopTarget::SameOrigin)], "redirects = \"pass\"").await;
    setup.assert_whole(&setup.regpass.get(&setup.target).await);
    setup.expect(&[setup.at_registry("GET", 307), setup.at_signed_url("registry", 200)]);

    let setup = start(&[Hop::new(307, HopTarget::SameOrigin), TO_BLOBS], "redirects = \"pass\"").await;
    let reply = setup.regpass.get(&setup.target).await;
    assert!(reply.header("location").unwrap().starts_with("http://blobs.distribution.test/signed/"), "{reply:?}");
    setup.expect(&[setup.at_registry("GET", 307), setup.at_hop(1, "registry", 307)]);
}

#[tokio::test(start_paused = true)]
async fn redirect_of_a_manifest_is_followed() {
    let setup = start(&[TO_BLOBS], "").await;
    let backend = setup.sim.start(Preset::distribution(AuthMode::Open).named("backend")).await;
    let image = Image::single("app", ImageFormat::Oci);
    backend.publish("k8s/app", "1", &image);
    setup.registry.api().inject(Fault::redirect(307, &format!("{}/v2/k8s/app/manifests/1", backend.origin())));
    // The simulated backend serves an OCI manifest only if `Accept` names its media type.
    let reply = setup.regpass.get("/v2/acme/app/manifests/1").await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &image.top().bytes));
    let reply = setup.regpass.head("/v2/acme/app/manifests/1").await;
    assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (200, Some(image.digest())));
    setup.expect(&[
        "registry GET /v2/acme/app/manifests/1 bearer#1 307".into(),
        "backend.registry GET /v2/k8s/app/manifests/1 anonymous 200".into(),
        "registry HEAD /v2/acme/app/manifests/1 bearer#1 307".into(),
        "backend.registry HEAD /v2/k8s/app/manifests/1 anonymous 200".into(),
    ]);
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn redirect_of_a_catalog_is_not_followed() {
    let setup = start(&[TO_BLOBS], "").await;
    setup.registry.api().inject(Fault::redirect(302, "http://blobs.distribution.test/login"));
    let reply = setup.regpass.get("/v2/_catalog").await;
    assert_eq!((reply.status_and_code().as_str(), reply.header("location")), ("502 UNAVAILABLE", None));
    assert_eq!(setup.sim.ledger().count("blobs", |_| true), 0);
}
