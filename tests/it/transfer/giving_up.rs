//! Breaks that stay: the client sees them.

use tokio::time::Instant;

use super::{SIZE, World};
use crate::sim::Fault;
use crate::wire::Open;

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_asked_for_again_after_half_a_minute() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::hang_mid_body(80_000).times(1));
    let began = Instant::now();
    world.assert_whole(&world.regpass.send(world.get()).await);
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(world.seen(), ["registry 200 whole", "registry 206 bytes=80000-199999"]);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_sends_nothing_three_times_is_given_up() {
    // One second lies between the second try and the third.
    for (fault, seconds) in [(Fault::hang_after_head(), 91), (Fault::close_mid_body(0), 1)] {
        let world = World::start().await;
        world.registry.registry().inject(fault);
        let began = Instant::now();
        let reply = world.regpass.send(world.get()).await;
        world.assert_broken(&reply);
        assert_eq!((began.elapsed().as_secs(), world.seen().len()), (seconds, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_drips_is_given_up_too() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::close_mid_body(1));
    let reply = world.regpass.send(world.get()).await;
    world.assert_broken(&reply);
    let asked = world.seen().len();
    assert!((3..=32).contains(&asked), "{asked} requests for as many bytes");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_gone_leaves_a_broken_transfer() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::hang_mid_body(80_000));
    let mut open = Open::begin(&world.regpass, world.get()).await;
    open.piece().await.unwrap().unwrap();
    world.registry.registry().stop();
    let mut last = None;
    while let Some(piece) = open.piece().await {
        last = Some(piece.is_ok());
    }
    assert_eq!(last, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_body_of_unknown_length_that_breaks_is_a_broken_one() {
    let world = World::start().await;
    world.registry.registry().inject(Fault::alter(|_, reply| reply.without("content-length").chunked()));
    let reply = world.regpass.send(world.get()).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, None));
    world.assert_part(&reply, 0, SIZE);
    world.sim.ledger().take();
    world.registry.registry().inject(Fault::close_mid_body(80_000));
    let reply = world.regpass.send(world.get()).await;
    assert_eq!((reply.status.as_u16(), reply.whole), (200, false));
    assert_eq!(world.seen(), ["registry 200 whole"]);
}
