//! Redirects that are handed on, of manifests, and of what is not redirected.

use super::{TO_BLOBS, World};
use crate::sim::{Family, Fault, Hop, Image, Mode, Place, Preset};

#[tokio::test(start_paused = true)]
async fn pass_hands_the_client_the_url_and_follows_for_heads_and_manifests() {
    let world = World::start(&[TO_BLOBS], "redirects = \"pass\"").await;
    let reply = world.regpass.get(&world.target).await;
    let location = reply.header("location").unwrap();
    assert!(location.starts_with(&format!("http://blobs.distribution.test/signed/{}?expires=", world.blob.digest)));
    assert_eq!((reply.status.as_u16(), reply.body.len()), (307, 0));
    assert_eq!(reply.header("docker-content-digest"), Some(&*world.blob.digest));
    world.expect(&[world.at_registry("GET", 307)]);
    let reply = world.regpass.head(&world.target).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("100000")));
    world.expect(&[world.at_registry("HEAD", 307), world.signed("blobs", "anonymous", 206)]);
}

#[tokio::test(start_paused = true)]
async fn pass_hands_on_no_url_of_the_registry_itself() {
    let world = World::start(&[Hop::new(307, Place::Here)], "redirects = \"pass\"").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    world.expect(&[world.at_registry("GET", 307), world.signed("registry", "anonymous", 200)]);

    let world = World::start(&[Hop::new(307, Place::Here), TO_BLOBS], "redirects = \"pass\"").await;
    let reply = world.regpass.get(&world.target).await;
    assert!(reply.header("location").unwrap().starts_with("http://blobs.distribution.test/signed/"), "{reply:?}");
    world.expect(&[world.at_registry("GET", 307), world.hop(1, "registry", "anonymous", 307)]);
}

#[tokio::test(start_paused = true)]
async fn manifests_may_live_elsewhere() {
    let world = World::start(&[TO_BLOBS], "").await;
    let backend = world.sim.start(Preset::distribution(Mode::Open).named("backend")).await;
    let image = Image::single("app", Family::Oci);
    backend.publish("k8s/app", "1", &image);
    world.registry.registry().inject(Fault::redirect(307, &format!("{}/v2/k8s/app/manifests/1", backend.origin())));
    // The simulated backend shows an OCI manifest to those only who accept it.
    let reply = world.regpass.get("/v2/acme/app/manifests/1").await;
    assert_eq!((reply.status.as_u16(), &reply.body), (200, &image.top().bytes));
    let reply = world.regpass.head("/v2/acme/app/manifests/1").await;
    assert_eq!((reply.status.as_u16(), reply.header("docker-content-digest")), (200, Some(image.digest())));
    world.expect(&[
        "registry GET /v2/acme/app/manifests/1 bearer#1 307".into(),
        "backend.registry GET /v2/k8s/app/manifests/1 anonymous 200".into(),
        "registry HEAD /v2/acme/app/manifests/1 bearer#1 307".into(),
        "backend.registry HEAD /v2/k8s/app/manifests/1 anonymous 200".into(),
    ]);
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_catalog_is_not_redirected() {
    let world = World::start(&[TO_BLOBS], "").await;
    world.registry.registry().inject(Fault::redirect(302, "http://blobs.distribution.test/login"));
    let reply = world.regpass.get("/v2/_catalog").await;
    assert_eq!((reply.verdict().as_str(), reply.header("location")), ("502 UNAVAILABLE", None));
    assert_eq!(world.sim.ledger().count("blobs", |_| true), 0);
}
