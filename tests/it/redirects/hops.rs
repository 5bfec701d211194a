//! Following, hop by hop.

use http::Method;

use super::{TO_BLOBS, World};
use crate::harness::request;
use crate::sim::{Fault, Hop, Mode, Place, Preset};

#[tokio::test(start_paused = true)]
async fn every_kind_of_redirect_is_followed_and_the_token_stays_at_home() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::start(&[Hop::new(status, Place::Blobs)], "").await;
        let reply = world.regpass.get(&world.target).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 100_000), "{status}");
        world.assert_whole(&reply);
        assert_eq!(reply.header("docker-content-digest"), Some(&*world.blob.digest));
        assert_eq!(reply.header("location"), None);
        world.expect(&[world.at_registry("GET", status), world.signed("blobs", "anonymous", 200)]);
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_does_not_go_along_within_the_registrys_origin_either() {
    for hop in [Place::Here, Place::Registry] {
        let world = World::start(&[Hop::new(307, hop)], "").await;
        world.assert_whole(&world.regpass.get(&world.target).await);
        world.expect(&[world.at_registry("GET", 307), world.signed("registry", "anonymous", 200)]);
        let head = world.regpass.send(request(Method::HEAD, &world.target)).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some("100000")));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_stays_dropped_when_the_chain_comes_back() {
    let back = [Hop::new(307, Place::Here), TO_BLOBS, Hop::new(302, Place::Registry), Hop::new(302, Place::Here)];
    let world = World::start(&back, "").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    world.expect(&[
        world.at_registry("GET", 307),
        world.hop(1, "registry", "anonymous", 307),
        world.hop(2, "blobs", "anonymous", 302),
        world.hop(3, "registry", "anonymous", 302),
        world.signed("registry", "anonymous", 200),
    ]);
}

#[tokio::test(start_paused = true)]
async fn chains_end_after_five_hops() {
    let world = World::start(&[TO_BLOBS; 5], "").await;
    world.assert_whole(&world.regpass.get(&world.target).await);
    assert_eq!(world.sim.ledger().take().len(), 6);
    let world = World::start(&[TO_BLOBS; 6], "").await;
    let reply = world.regpass.get(&world.target).await;
    assert_eq!(reply.verdict(), "502 UNAVAILABLE");
    assert!(reply.error().1.contains("more than 5 times"), "{reply:?}");
    assert_eq!(world.sim.ledger().take().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_redirects_to_itself_ends() {
    let world = World::start(&[TO_BLOBS], "").await;
    world.registry.blobs().inject(Fault::redirect_to_itself(302));
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(world.regpass.send(request(method, &world.target)).await.status, 502);
        assert_eq!(world.sim.ledger().take().len(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn relative_locations_are_taken_from_where_they_were_said() {
    let world = World::start(&[TO_BLOBS], "").await;
    let signed = world.regpass.get(&world.target).await;
    assert_eq!(signed.status, 200);
    let query = world.sim.ledger().take()[1].query.clone();
    let digest = &world.blob.digest;
    for location in [
        format!("/signed/{digest}?{query}"),
        format!("../../../../signed/{digest}?{query}"),
        format!("./../../x/../../../signed/{digest}?{query}#fragment"),
        format!("//{}/signed/{digest}?{query}", world.registry.authority()),
        format!("HTTP://{}:80/signed/{digest}?{query}", world.registry.authority().to_uppercase()),
    ] {
        let fault = world.registry.registry().inject(Fault::redirect(307, &location).path("/v2/"));
        world.assert_whole(&world.regpass.get(&world.target).await);
        world.expect(&[world.at_registry("GET", 307), world.signed("registry", "anonymous", 200)]);
        fault.lift();
    }
}

#[tokio::test(start_paused = true)]
async fn another_port_or_a_longer_name_is_another_origin() {
    let world = World::start(&[TO_BLOBS], "").await;
    let host = world.registry.authority().to_owned();
    for elsewhere in
        [format!("http://{host}:8080/x"), format!("http://{host}.evil.test/x"), format!("http://evil{host}/x")]
    {
        let fault = world.registry.registry().inject(Fault::redirect(307, &elsewhere).path("/v2/"));
        assert_eq!(world.regpass.get(&world.target).await.status, 502);
        fault.lift();
    }
    // Only dialled, and not answered: the client for other origins has no connection to the registry to share.
    let evil = world.sim.start(Preset::distribution(Mode::Open).named("evil")).await;
    world.registry.registry().inject(Fault::redirect(307, &format!("{}/signed/x", evil.origin())).path("/v2/"));
    world.sim.ledger().take();
    assert_eq!(world.regpass.get(&world.target).await.status, 502);
    let seen = world.sim.ledger().take();
    assert!(
        seen.iter()
            .filter(|entry| entry.server.starts_with("evil"))
            .all(|entry| entry.authorization == crate::sim::AuthSeen::None)
    );
}
